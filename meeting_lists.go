package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// distinctLists returns the register lists of the hosts, each once by where it is in
// memory: captures that one reader read share them; or a host whose list is not
// known.
func (m *meeting) distinctLists() (lists [][]arm64.ID, unknown *Capture) {
	seen := map[*arm64.ID]bool{}
	for _, t := range m.stances {
		list := t.setup.Listed
		if len(list) == 0 {
			return nil, t.capture // every vCPU lists something
		}
		if !seen[&list[0]] {
			seen[&list[0]] = true
			lists = append(lists, list)
		}
	}
	return lists, nil
}

// listed returns the register ids that every host lists, nil where a list is
// not known.
func (m *meeting) listed() []arm64.ID {
	lists, unknown := m.distinctLists()
	if unknown != nil {
		return nil
	}
	common := slices.Clone(lists[0])
	for _, list := range lists[1:] {
		common = slices.DeleteFunc(common, func(id arm64.ID) bool {
			_, found := slices.BinarySearch(list, id)
			return !found
		})
	}
	return common
}

// noteLists remarks on hosts whose register lists differ.
func (m *meeting) noteLists() {
	lists, unknown := m.distinctLists()
	switch {
	case unknown != nil:
		m.notKnown = append(m.notKnown, "which registers "+unknown.Name+" lists")
	case slices.ContainsFunc(lists, func(list []arm64.ID) bool { return !slices.Equal(list, lists[0]) }):
		m.notes = append(m.notes, "the hosts do not list the same registers; QEMU refuses to move a VM between them")
	}
}

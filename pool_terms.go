package guise

import (
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// poolLane is one setup in which hosts may be pooled: what each view shows and
// takes in it, told apart no further than the rules of a baseline do.
type poolLane struct {
	key      string
	features int
	vgic     int
	stances  []*stance // by view, nil where it was not captured in this setup
	stands   []bool    // by view: alone it has a contract in this setup
	terms    []*poolTerm
	words    int // of the sets of classes of all terms
}

// poolTerm is one thing that a baseline judges by itself: a field, the other
// bits of a register, the registers without a name, or what the setup lowers.
// Whether hosts agree in it depends on the set of their classes only.
type poolTerm struct {
	place, slot int // slot < 0: the bits outside slots; place as below
	class       []int
	hosts       []*stance // one of each class
	conflicts   []bitset  // by class: those that no group can hold together with it
	first, end  int       // the words of its set of classes among those of all terms
	known       map[string]bool
}

// Places of terms that are no register.
const (
	termExtra = -1 - iota // registers that the table does not know
	termSetup             // IPA size and vector lengths
)

// growing reports whether hosts that disagree may agree with a further one: where
// all take what that one shows (commonCache), and where it has no AArch32, so that
// the contract has none and what describes it is UNKNOWN.
func (t *poolTerm) growing() bool {
	return t.place == arm64.CLIDREL1 || t.place >= 0 && t.slot >= 0 && aarch32Register(t.place)
}

// lanesOf returns the setups that the policy allows and some view was captured
// in, those with the most features first.
func lanesOf(views []viewHosts, policy *Policy, known stances) []*poolLane {
	byKey := map[string]*poolLane{}
	var lanes []*poolLane
	for v := range views {
		c := views[v].capture()
		for i := range c.Setups {
			s := &c.Setups[i]
			if !policy.allows(&s.Setup) {
				continue
			}
			key := s.Key()
			l := byKey[key]
			if l == nil {
				l = &poolLane{key: key, features: len(s.Features), vgic: s.VGIC, stances: make([]*stance, len(views))}
				l.stands = make([]bool, len(views))
				byKey[key] = l
				lanes = append(lanes, l)
			}
			if l.stances[v] == nil {
				l.stances[v] = known.stance(&views[v], s)
			}
		}
	}
	slices.SortFunc(lanes, func(a, b *poolLane) int { return compareSetups(a.features, b.features, a.key, b.key) })
	return lanes
}

// slotClass and restClass are all that the rules for a field, and for the rest
// of a register, look at in one host.
type slotClass struct {
	set                      isa.Set
	served                   uint64
	present, aarch32, serves bool
}

type restClass struct {
	rest, value, first, ctr uint64
	present, free, shown    bool
}

func slotClassOf(t *stance, place, slot int) slotClass {
	view := &t.setup.View
	c := slotClass{set: t.certain.Set(slot), present: view.Present.Has(place), aarch32: aarch32Register(place) && runsAArch32(view)}
	if hypercallBitmap(place) {
		c.served, c.serves = t.setup.served(place)
	}
	return c
}

func restClassOf(t *stance, place int) restClass {
	view := &t.setup.View
	c := restClass{present: view.Present.Has(place), shown: shownToGuests(place, view)}
	c.rest, c.free = t.certain.Rest(place)
	if slices.Contains(identityRegisters, place) {
		c.first = t.capture.Setups[0].View.Values[place]
		c.value = view.Values[place]
	}
	if arm64.Registers[place].Scope == isa.PerVCPU {
		c.value, c.ctr = view.Values[place], view.Values[arm64.CTREL0]
	}
	return c
}

// extraClassOf is what settleExtra looks at.
func extraClassOf(t *stance) string {
	key := appendMap(nil, t.setup.Extra)
	if t.setup.Listed == nil {
		key = append(key, 1)
	}
	return string(key)
}

// classify tells views apart by a key; nil where all have the same.
func classify[K comparable](l *poolLane, place, slot int, key func(t *stance) K) *poolTerm {
	var first K
	alike, seen := true, false
	for v, t := range l.stances {
		if !l.stands[v] {
			continue
		}
		if k := key(t); !seen {
			first, seen = k, true
		} else if k != first {
			alike = false
			break
		}
	}
	if alike {
		return nil
	}
	t := &poolTerm{place: place, slot: slot, class: make([]int, len(l.stances)), known: map[string]bool{}}
	classes := map[K]int{}
	for v, host := range l.stances {
		if !l.stands[v] {
			continue
		}
		k := key(host)
		class, known := classes[k]
		if !known {
			class = len(t.hosts)
			classes[k] = class
			t.hosts = append(t.hosts, host)
		}
		t.class[v] = class
	}
	return t
}

// contest finds the terms in which views of the lane are unlike and not all can
// be together.
func (l *poolLane) contest(m *meeting) {
	add := func(t *poolTerm) {
		if t == nil || !t.growing() && m.agree(t, firstNumbers(len(t.hosts))) {
			return // what all agree in, some do
		}
		t.first = l.words
		l.words += len(newBitset(len(t.hosts)))
		t.end = l.words
		t.setAgainst(m)
		l.terms = append(l.terms, t)
	}
	for place := range arm64.Registers {
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			add(classify(l, place, slot, func(t *stance) slotClass { return slotClassOf(t, place, slot) }))
		}
		add(classify(l, place, -1, func(t *stance) restClass { return restClassOf(t, place) }))
	}
	add(classify(l, termExtra, -1, extraClassOf))
	add(classify(l, termSetup, -1, func(t *stance) uint16 { return t.setup.VectorLengths }))
}

// setAgainst judges every two classes.
func (t *poolTerm) setAgainst(m *meeting) {
	n := len(t.hosts)
	t.conflicts = make([]bitset, n)
	for a := range n {
		t.conflicts[a] = newBitset(n)
	}
	two := newBitset(n)
	for a := range n {
		for b := range a {
			clear(two)
			two.add(a)
			two.add(b)
			if !m.agree(t, two) && !(t.growing() && t.agreeWithAThird(m, two)) {
				t.conflicts[a].add(b)
				t.conflicts[b].add(a)
			}
		}
	}
}

// agreeWithAThird reports whether two classes agree where some third is there.
func (t *poolTerm) agreeWithAThird(m *meeting, two bitset) bool {
	for third := range t.hosts {
		three := slices.Clone(two)
		if three.add(third); m.agree(t, three) {
			return true
		}
	}
	return false
}

// agree reports whether hosts of all these classes agree in a term, by the rule
// that baselines go by.
func (m *meeting) agree(t *poolTerm, classes bitset) bool {
	stances := m.among[:0]
	for class := range classes.all() {
		stances = append(stances, t.hosts[class])
	}
	m.among = stances
	switch {
	case t.place == termExtra:
		m.stances, m.refused, m.extra = stances, false, nil
		m.settleExtra()
	case t.place == termSetup:
		m.stances, m.refused, m.notKnown = stances, false, nil
		m.settleSetup()
	default:
		m.gatherAt(t.place, stances)
		switch judged := m.judges(t.place); {
		case judged && t.slot >= 0:
			m.settleSlot(t.slot)
		case judged:
			m.settleRest(t.place)
		}
	}
	return !m.refused
}

// agreed is agree that remembers.
func (m *meeting) agreed(t *poolTerm, classes bitset) bool {
	m.key = classes.appendKey(m.key[:0])
	return m.remembered(t, func() bitset { return classes })
}

// agreedWith is agreed of classes and one more.
func (m *meeting) agreedWith(t *poolTerm, classes bitset, more int) bool {
	m.key = classes.appendKey(m.key[:0])
	m.key[more/8] |= 1 << (more % 8)
	return m.remembered(t, func() bitset {
		larger := slices.Clone(classes)
		larger.add(more)
		return larger
	})
}

// remembered answers by the key, or judges.
func (m *meeting) remembered(t *poolTerm, classes func() bitset) bool {
	agree, known := t.known[string(m.key)]
	if !known {
		agree = m.agree(t, classes())
		t.known[string(m.key)] = agree
	}
	return agree
}

// appendClasses appends what the lane tells of a view: equal bytes, equal
// answers.
func (l *poolLane) appendClasses(key []byte, view int) []byte {
	switch {
	case l.stances[view] == nil:
		return append(key, 0)
	case !l.stands[view]:
		return append(key, 1)
	}
	key = append(key, 2)
	for _, t := range l.terms {
		key = appendNumbers(key, uint64(t.class[view]))
	}
	return key
}

package kvm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi"
)

// tagGranule is how many bytes of memory have one allocation tag.
const tagGranule = 16

// Tags reads the allocation tags of guest memory.
func (m *machine) Tags(base, size uint64) ([]byte, error) {
	tags := make([]byte, size/tagGranule)
	return tags, m.copyTags(base, tags, kvmabi.TagsFromGuest)
}

// SetTags writes what Tags read.
func (m *machine) SetTags(base uint64, tags []byte) error {
	return m.copyTags(base, tags, kvmabi.TagsToGuest)
}

// copyTags repeats KVM_ARM_MTE_COPY_TAGS until all is copied: it says how many
// bytes of guest memory it came to where a signal stops it on the way.
func (m *machine) copyTags(base uint64, tags []byte, direction uint64) error {
	for len(tags) > 0 {
		size := uint64(len(tags)) * tagGranule
		copied, errno := m.host.copyTags(m.fd, base, size, tags, direction)
		if errno == 0 && (copied <= 0 || uint64(copied) > size) {
			errno = unix.EIO
		}
		if errno != 0 {
			return m.refused(kvmabi.MTECopyTags, fmt.Sprintf("allocation tags of %d bytes at %#x", size, base), errno, false, "")
		}
		base += uint64(copied)
		tags = tags[copied/tagGranule:]
	}
	return nil
}

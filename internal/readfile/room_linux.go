package readfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// worthHugePages is how long a buffer is, in bytes, that is asked for in huge pages
// (madvise(2)): the kernel otherwise hands out a large fleet's buffer 4 KiB at a
// time, which takes longer than reading the fleet into it.
const worthHugePages = 8 << 20

// room makes a buffer of n bytes.
func room(n int) []byte {
	buffer := make([]byte, n)
	if n >= worthHugePages {
		// Large objects of the heap begin at a page. A kernel without huge pages
		// refuses, and gives the memory as ever.
		_ = unix.Madvise(buffer[:n-n%os.Getpagesize()], unix.MADV_HUGEPAGE)
	}
	return buffer
}

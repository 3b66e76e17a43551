package kernel

import (
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// TestServedUnasked: what kernels serve before the bitmaps came, and where nobody
// knows.
func TestServedUnasked(t *testing.T) {
	for _, test := range []struct {
		version string
		place   int
		bits    uint64
		known   bool
	}{
		{"5.4", arm64.STDHYPBMAP, 0, true},
		{"5.5", arm64.STDHYPBMAP, 1, true},
		{"5.10.223", arm64.STDHYPBMAP, 1, true},
		{"5.10", arm64.STDBMAP, 0, true},
		{"5.11", arm64.STDBMAP, 0, true},
		{"5.12", arm64.STDBMAP, 1, true},
		{"5.10", arm64.VENDORHYPBMAP, 0, true},
		{"5.13", arm64.VENDORHYPBMAP, 0, false},
		{"5.18", arm64.VENDORHYPBMAP, 3, true},
		{"5.19", arm64.STDBMAP, 0, false}, // which has the register
		{"6.1", arm64.STDHYPBMAP, 0, false},
		{"5.14.0-284.11.1.el9_2.aarch64", arm64.STDHYPBMAP, 0, false},
	} {
		bits, known := ServedUnasked(must(test.version), test.place)
		if known != test.known || known && bits != test.bits {
			t.Errorf("%s, %s: %#x, known %v; want %#x, %v", test.version, arm64.Registers[test.place].Name, bits, known, test.bits, test.known)
		}
	}
}

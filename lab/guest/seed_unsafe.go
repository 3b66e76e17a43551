//go:build linux

package guest

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// seed gives the kernel's generator random bytes and has it use them at once
// (random(4): RNDADDENTROPY, RNDRESEEDCRNG). A snapshot would otherwise give
// every host restored from it the same stream; a fresh boot may have none.
func seed(random []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// struct rand_pool_info: entropy in bits, size in bytes, the bytes.
	var pool struct {
		bits, size int32
		bytes      [512]byte
	}
	n := copy(pool.bytes[:], random)
	pool.bits, pool.size = int32(n*8), int32(n)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&pool))); errno != 0 {
		return os.NewSyscallError("RNDADDENTROPY", errno)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDRESEEDCRNG, 0); errno != 0 {
		return os.NewSyscallError("RNDRESEEDCRNG", errno)
	}
	return nil
}

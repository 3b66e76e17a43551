package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/lab/channel"
)

// portWait bounds how long the channel may take to appear after its driver is
// there: the kernel and QEMU exchange a few messages first.
const portWait = 20 * time.Second

// loadModules loads the modules the initramfs carries: the channel's driver,
// where the kernel has it as a module, and what the host was asked to load.
func loadModules(directory string) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries { // sorted by name
		f, err := os.Open(filepath.Join(directory, entry.Name()))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", entry.Name(), err)
		}
	}
	return nil
}

// port is a virtio-serial port. Reads block; where nothing is connected on the
// other side yet the driver returns 0 bytes, which is not the end.
type port struct{ fd int }

// openPort waits for the port of the given name (drivers/char/virtio_console.c)
// and opens it.
func openPort(sysClass, name string) (*port, error) {
	deadline := time.Now().Add(portWait)
	for {
		device, err := findPort(sysClass, name)
		if err == nil {
			fd, err := unix.Open("/dev/"+device, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err == nil {
				return &port{fd}, nil
			}
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("open /dev/%s: %w", device, err)
			}
		} else if time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
}

// findPort returns the device of a virtio-serial port by its name.
func findPort(sysClass, name string) (string, error) {
	entries, err := os.ReadDir(sysClass)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(sysClass, entry.Name(), "name"))
		if err == nil && strings.TrimSpace(string(text)) == name {
			return entry.Name(), nil
		}
	}
	return "", fmt.Errorf("no virtio-serial port is named %s: the kernel has no driver for it (CONFIG_VIRTIO_CONSOLE, CONFIG_VIRTIO_PCI)", name)
}

func (p *port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Read(p.fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			time.Sleep(time.Millisecond)
		default:
			return n, nil
		}
	}
}

func (p *port) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		// The driver takes at most 32 KiB in one call.
		n, err := unix.Write(p.fd, b[written:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return written, os.NewSyscallError("write", err)
		}
		if n == 0 {
			return written, io.ErrShortWrite
		}
		written += n
	}
	return written, nil
}

var _ io.ReadWriter = (*port)(nil)

// connect opens the channel and says hello.
func connect() (*port, *channel.Writer, error) {
	p, err := openPort("/sys/class/virtio-ports", channel.PortName)
	if err != nil {
		return nil, nil, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, nil, err
	}
	w := channel.NewWriter(p)
	return p, w, channel.Send(w, channel.KindHello, channel.Hello{
		Version: channel.Version,
		Release: unix.ByteSliceToString(name.Release[:]),
		Machine: unix.ByteSliceToString(name.Machine[:]),
	})
}

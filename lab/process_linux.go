package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a QEMU that was started. The kernel kills it when the thread that
// started it ends, so that not even a SIGKILL of this program leaves it
// running.
type process struct {
	channel, control *os.File
	os               *os.Process
	// ended is closed once the process is gone; err is then why.
	ended chan struct{}
	err   error
	// stop ends the watch over the context, where there is one.
	stop func() bool
}

// startProcess starts QEMU with its two sockets. What it prints, console and
// its own complaints, goes to output.
func startProcess(path string, arguments []string, output io.Writer) (*process, error) {
	channel, channelPeer, err := socketPair("lab channel")
	if err != nil {
		return nil, err
	}
	defer channelPeer.Close()
	control, controlPeer, err := socketPair("lab control")
	if err != nil {
		channel.Close()
		return nil, err
	}
	defer controlPeer.Close()

	command := exec.Command(path, arguments...)
	command.ExtraFiles = []*os.File{channelPeer, controlPeer} // channelFD, controlFD
	command.Stdout, command.Stderr = output, output
	// A process group of its own: an interrupt from the terminal is ours to
	// handle, and QEMU must not end under a Run that would call it a failure.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{channel: channel, control: control, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent-death signal follows the thread, not the process
		// (prctl(2)): this thread must live as long as QEMU.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		if err == nil {
			p.os = command.Process
		}
		started <- err
		if err == nil {
			p.err = command.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(err, channel.Close(), control.Close())
	}
	return p, nil
}

// terminate ends the process; reads of its sockets then end too. The only
// error there can be is that it is gone.
func (p *process) terminate() { _ = p.os.Kill() }

// kill ends the process and waits until it is gone. It may be called more
// than once.
func (p *process) kill() {
	p.terminate()
	<-p.ended
	if p.stop != nil {
		p.stop()
	}
	p.channel.Close()
	p.control.Close()
}

// ownerOf is the user who owns a file.
func ownerOf(info os.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// allocated is how much of the disk a file takes: a snapshot has holes.
func allocated(info os.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}

// waitIdle waits until the machine's CPUs have nothing to do: until QEMU has
// used no more time than its own upkeep takes for a while, or the process ends.
func (p *process) waitIdle() error {
	const window = 100 * time.Millisecond
	for before := int64(-1); ; {
		used, err := p.cpuTime()
		if err != nil {
			return err
		}
		if before >= 0 && time.Duration(used-before) < window/20 {
			return nil
		}
		before = used
		select {
		case <-p.ended:
			return errors.New("QEMU ended")
		case <-time.After(window):
		}
	}
}

// cpuTime is how long the process's threads have run, in nanoseconds.
func (p *process) cpuTime() (int64, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.os.Pid))
	if err != nil {
		return 0, err
	}
	var total int64
	for _, path := range paths {
		var ran int64
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		if _, err := fmt.Sscan(string(text), &ran); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		total += ran
	}
	return total, nil
}

// waited is how long the threads of the process and of this program were ready to
// run and had no CPU (Documentation/scheduler/sched-stats.rst): 0 where the kernel
// does not count that. Threads that ended take their share with them, so that it
// may go back.
func (p *process) waited() time.Duration {
	var total int64
	for _, pattern := range []string{fmt.Sprintf("/proc/%d/task/*/schedstat", p.os.Pid), "/proc/self/task/*/schedstat"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, path := range paths {
			var ran, delayed int64
			text, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			if _, err := fmt.Sscan(string(text), &ran, &delayed); err == nil {
				total += delayed
			}
		}
	}
	return time.Duration(total)
}

// isBroken reports whether an error says that the other side of a socket is
// gone.
func isBroken(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

// socketPair returns two connected stream sockets.
func socketPair(name string) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}

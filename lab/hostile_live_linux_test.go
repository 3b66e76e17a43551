package lab_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/channel"
	"github.com/guise-project/guise/lab/labtest"
)

// demoHostile takes the channel from the init, as root in a host can, and sends
// what the argument says.
func demoHostile(what string) error {
	port, err := takeChannel()
	if err != nil {
		return err
	}
	w := channel.NewWriter(port)
	switch what {
	case "another file":
		err = channel.SendFile(w, channel.FileHeader{Path: os.Getenv("GUISE_LAB_TARGET"), Mode: 0o755}, strings.NewReader("#!/bin/sh\n"))
	case "executable":
		err = channel.SendFile(w, channel.FileHeader{Path: "out", Mode: 0o4777}, strings.NewReader("#!/bin/sh\n"))
	case "endless file":
		err = channel.SendFile(w, channel.FileHeader{Path: "out"}, zeros{})
	case "endless output":
		for range 3 * lab.MaxKept / channel.MaxPayload {
			err = errors.Join(err, w.Write(channel.KindStdout, make([]byte, channel.MaxPayload)))
		}
	case "escapes":
		return channel.Send(w, channel.KindEnd, channel.End{Error: "done\x1b[2J\nyes  the contract holds"})
	case "not a frame":
		_, err = port.WriteString("GET / HTTP/1.0\r\n\r\n")
	default:
		err = fmt.Errorf("no such attack: %q", what)
	}
	if err != nil {
		return err
	}
	return channel.Send(w, channel.KindEnd, channel.End{})
}

// takeChannel opens the line to the program that started the host, which the
// init holds.
func takeChannel() (*os.File, error) {
	links, err := filepath.Glob("/proc/1/fd/*")
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.Contains(target, "vport") {
			continue
		}
		number, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			return nil, err
		}
		init, err := unix.PidfdOpen(1, 0)
		if err != nil {
			return nil, err
		}
		fd, err := unix.PidfdGetfd(init, number, 0)
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), target), nil
	}
	return nil, errors.New("the init holds no port")
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestLiveHostileHosts: root in a host has the channel, and with it nothing but
// the job's own answer.
func TestLiveHostileHosts(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	job := demo(t, "hostile")
	job.Outputs = []string{"out"}
	job.Env = append(job.Env, "GUISE_LAB_TARGET="+target)
	h := lab.Host{Kernel: "6.12", CPU: "cortex-a53"}
	attack := func(what string) (lab.Result, error) {
		job.Args = []string{what}
		result, err := lab.Run(t.Context(), h, job)
		var missing *lab.MissingError
		if errors.As(err, &missing) {
			testenv.Missing(t, "%v (%s)", missing, missing.Hint)
		}
		return result, err
	}
	for what, want := range map[string]string{
		"another file": fmt.Sprintf(`the host sent file %q, which the job did not ask for`, target),
		"endless file": fmt.Sprintf(`file "out": the files of a job have more than %d MiB`, lab.MaxOutputs>>20),
		"escapes":      `done\x1b[2J\nyes  the contract holds`,
		"not a frame":  "not a frame",
	} {
		if _, err := attack(what); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", target, err)
	}
	result, err := attack("executable")
	if err != nil || len(result.Files) != 1 || result.Files[0].Mode != 0o666 {
		t.Errorf("a file that the job asked for, from a host that wants it executable: %+v, %v", result.Files, err)
	}
	result, err = attack("endless output")
	if err != nil || len(result.Stdout) != lab.MaxKept || result.NotKept != 2*lab.MaxKept {
		t.Errorf("kept %d, not kept %d: %v", len(result.Stdout), result.NotKept, err)
	}
	if result := labtest.Run(t, h, demo(t, "kvm")); result.Status != 12 {
		t.Errorf("the next host: %+v", result)
	}
}

// TestLiveEmulatorIsConfined: the filter of system calls is on in the QEMU that
// a host runs on (proc(5): Seccomp is 2 in filter mode), and it has no network.
func TestLiveEmulatorIsConfined(t *testing.T) {
	for _, h := range []lab.Host{{Kernel: "6.12", CPU: "cortex-a53"}, {Arch: "ppc64le", Kernel: "7.2"}} {
		mark := fmt.Sprintf("%s/%d", t.TempDir(), os.Getpid())
		h.Fresh, h.Append = true, []string{"guise_mark=" + mark}
		var status, line []byte
		job := lab.Job{Args: []string{"version"}, Stdout: writerFunc(func(b []byte) (int, error) {
			if id := processWith(t, mark); id != 0 && status == nil {
				status, _ = os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
				line, _ = os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
			}
			return len(b), nil
		})}
		if result := labtest.Run(t, h, job); result.Status != 0 {
			t.Fatalf("%+v", result)
		}
		if !strings.Contains(string(status), "\nSeccomp:\t2\n") {
			t.Errorf("%s: QEMU runs without its filter: %s", h.Name(), status)
		}
		if words := strings.ReplaceAll(string(line), "\x00", " "); !strings.Contains(words, "-nodefaults ") && !strings.Contains(words, "-nic none ") {
			t.Errorf("%s: QEMU runs with its default network: %s", h.Name(), words)
		}
	}
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

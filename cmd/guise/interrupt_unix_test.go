//go:build unix

package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
)

// TestInterrupted: a signal ends a command that waits for a FIFO nobody writes,
// with the status of the signal and nothing left behind.
func TestInterrupted(t *testing.T) {
	// Where the tests run under nohup(1), a signal that this process ignores would be
	// ignored by the commands, too; one that it handles is not.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	for _, line := range []string{
		"lint FIFO", "lint good.json FIFO", "explain FIFO", "baseline FIFO -o out.json", "check FIFO graviton2@6.18", "check graviton2@6.18 FIFO",
		"pools graviton2@6.18 FIFO", "fleet pack FIFO -o out.json", "fleet unpack FIFO", "import firecracker FIFO -o out.json",
		"baseline graviton2@6.18 --policy FIFO", "diff FIFO FIFO", "prove FIFO", "try FIFO", "vm restore FIFO", "vm save FIFO -o out",
		"forecast FIFO --kernel 7.2", "forecast graviton2@6.1 --kernel 7.2 --raw FIFO", "rehearse FIFO --from 6.1/max --to 7.2/max",
		"model run FIFO", "model nested --history FIFO", "lab run --kernel 6.12 --in FIFO -- version",
	} {
		for signal, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
			directory := t.TempDir()
			fifo := filepath.Join(directory, "FIFO")
			if err := unix.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(directory, "good.json"), hostFile(t), 0o600); err != nil {
				t.Fatal(err)
			}
			command := guiseCommand(t, strings.Fields(line)...)
			var stderr bytes.Buffer
			command.Dir, command.Stderr = directory, &stderr
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			// This returns once guise has opened the other end.
			writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait()
			writer.Close()
			if got := command.ProcessState.ExitCode(); got != status || stderr.String() != "guise: interrupted: "+signal.String()+"\n" {
				t.Errorf("guise %s: %v: status %d, want %d: %s", line, signal, got, status, stderr.String())
			}
			wantEntries(t, directory, "FIFO", "good.json")
		}
	}
}

func hostFile(t *testing.T) []byte {
	t.Helper()
	capture, err := catalog.Load("graviton2@6.18")
	if err != nil {
		t.Fatal(err)
	}
	return capture.Marshal()
}

// TestBrokenPipe: who stops reading is told nothing.
func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command := guiseCommand(t, "catalog")
	command.Stdout, command.Stderr = w, &stderr
	r.Close()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_ = command.Wait()
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGPIPE || stderr.Len() > 0 {
		t.Errorf("%v: %s; want SIGPIPE and no word", command.ProcessState, stderr.String())
	}
}

// TestIgnoredSignals: what the shell had ignored stays so, as with nohup.
func TestIgnoredSignals(t *testing.T) {
	directory := t.TempDir()
	fifo := filepath.Join(directory, "FIFO")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	inner := guiseCommand(t, "lint", fifo)
	inner.Path, inner.Args = "/bin/sh", []string{"sh", "-c", `trap "" HUP; exec "$0" lint "$1"`, os.Args[0], fifo}
	var stdout bytes.Buffer
	inner.Stdout = &stdout
	if err := inner.Start(); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(hostFile(t)); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if err := inner.Wait(); err != nil || !strings.HasPrefix(stdout.String(), "well-formed") {
		t.Errorf("%v: %s", err, stdout.String())
	}
}

// TestEndedAtRandom ends commands that write, at any moment and by any signal:
// every file is whole, and names that are not theirs are gone after the next
// command.
func TestEndedAtRandom(t *testing.T) {
	var captures []*guise.Capture
	want := map[string][]byte{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"} {
		capture, err := catalog.Load("graviton2@6.18")
		if err != nil {
			t.Fatal(err)
		}
		capture.Name = name
		captures = append(captures, capture)
		want[name+".json"] = capture.Marshal()
	}
	fleet := filepath.Join(t.TempDir(), "fleet.json")
	if err := os.WriteFile(fleet, guise.MarshalFleet(captures), 0o600); err != nil {
		t.Fatal(err)
	}
	const runs = 60
	ended, partial := 0, 0
	for range runs {
		directory := t.TempDir()
		// Some are there already: replacing takes another way than creating.
		for name := range want {
			if rand.IntN(2) == 0 {
				if err := os.WriteFile(filepath.Join(directory, name), want[name], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		command := guiseCommand(t, "fleet", "unpack", "-", "-C", directory)
		stdin, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(fleet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(stdin, file); err != nil {
			t.Fatal(err)
		}
		file.Close()
		stdin.Close()
		waste(rand.IntN(1 << (18 + rand.IntN(12)))) // from none to more than the whole run takes
		signal := []os.Signal{os.Interrupt, syscall.SIGTERM, os.Kill}[rand.IntN(3)]
		_ = command.Process.Signal(signal) // it may have ended
		if command.Wait() != nil {
			ended++
		}
		entries, err := os.ReadDir(directory)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			content, err := os.ReadFile(filepath.Join(directory, e.Name()))
			switch whole := want[e.Name()]; {
			case whole != nil && (err != nil || !bytes.Equal(content, whole)):
				t.Errorf("%s: %d bytes, %v; want %d", e.Name(), len(content), err, len(whole))
			case whole == nil && signal != os.Kill:
				t.Errorf("%v left %s behind", signal, e.Name())
			case whole == nil:
				partial++
			}
		}
		if out, err := guiseCommand(t, "fleet", "unpack", fleet, "-C", directory).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		// Twice, as the first may have had nothing to replace.
		if out, err := guiseCommand(t, "fleet", "unpack", fleet, "-C", directory).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if entries, err = os.ReadDir(directory); err != nil || len(entries) != len(want) {
			t.Errorf("after the next command there are %d entries, %v", len(entries), err)
		}
	}
	testenv.Figure(t, "fleet unpack: %d of %d runs ended by a signal, %d temporary names left by SIGKILL, all removed by the next", ended, runs, partial)
}

// waste does n steps of nothing.
func waste(n int) {
	for range n {
		spent++
	}
}

var spent int

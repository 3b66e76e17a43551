package lab_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestMain is a program of a few lines for the lab when it is started with
// GUISE_LAB_DEMO: the tests of the lab ship their own binary.
func TestMain(m *testing.M) {
	switch os.Getenv("GUISE_LAB_DEMO") {
	case "":
		os.Exit(m.Run())
	case "kvm":
		os.Exit(demoKVM())
	case "panic":
		_ = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	case "random":
		random := make([]byte, 16)
		rand.Read(random)
		fmt.Printf("%x %s", random, time.Now().Format(time.RFC3339))
	case "timers":
		for range 10 {
			time.Sleep(20 * time.Millisecond)
		}
	case "parent":
		os.Exit(demoParent())
	case "hang":
		fmt.Println("running")
		for {
			time.Sleep(time.Hour)
		}
	case "memory":
		demoMemory()
	case "hostile":
		if err := demoHostile(os.Args[1]); err != nil {
			println(err.Error())
			os.Exit(1)
		}
	case "copy":
		content, err := os.ReadFile("in")
		if err == nil {
			err = os.WriteFile("out", content, 0o600)
		}
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
	}
}

const kvmGetAPIVersion = 0xae00 // KVM_GET_API_VERSION, include/uapi/linux/kvm.h

func demoKVM() int {
	fd, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		println("/dev/kvm:", err.Error())
		return 1
	}
	version, err := unix.IoctlRetInt(fd, kvmGetAPIVersion)
	if err != nil {
		println("KVM_GET_API_VERSION:", err.Error())
		return 1
	}
	return version
}

func demoMemory() {
	var held [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
		fmt.Println("holding", len(held)*16, "MiB")
	}
}

// matrix is what the lab is held to.
var (
	kernels = []string{"5.10", "6.1", "6.12", "6.18", "7.2"}
	cpus    = []string{"cortex-a53", "cortex-a72", "neoverse-n1", "neoverse-v1", "a64fx", "max"}
)

func demo(t testing.TB, name string) lab.Job {
	return lab.Job{Program: labtest.Binary(t, "arm64"), Env: []string{"GUISE_LAB_DEMO=" + name}}
}

func TestLiveKVMAnswersOnEveryHost(t *testing.T) {
	job := demo(t, "kvm")
	var hosts []lab.Host
	for _, kernel := range kernels {
		for _, cpu := range cpus {
			hosts = append(hosts, lab.Host{Kernel: kernel, CPU: cpu})
		}
	}
	hosts = append(hosts,
		lab.Host{Kernel: "7.2", CPU: "max", Options: []string{"mte=on"}},
		lab.Host{Kernel: "7.2", CPU: "max", Append: []string{"kvm-arm.mode=nested"}},
		lab.Host{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
		lab.Host{Kernel: "6.12", CPU: "neoverse-v1", CPUs: 2, Memory: 1024},
	)
	hosts = labtest.Everyday(t, hosts, "5.10/neoverse-n1", "6.1/cortex-a72", "6.12/cortex-a53", "6.18/max", "7.2/a64fx",
		"7.2/max,kvm-arm.mode=nested", "7.2/neoverse-v1,kvm-arm.mode=protected")
	if len(hosts) == 0 {
		return // the time is up
	}
	labtest.Run(t, hosts[0], job) // or there is no lab
	// Once to leave a snapshot, where there is none, and once from it.
	booted := lab.Matrix(t.Context(), hosts, job, nil, nil)
	restored := lab.Matrix(t.Context(), hosts, job, nil, nil)
	for i, h := range hosts {
		for _, cell := range []lab.Cell{booted[i], restored[i]} {
			if cell.Err != nil {
				t.Error(cell.Err)
				continue
			}
			t.Logf("%s: %s, %.2f s, restored: %v", h.Name(), cell.Result.Release, cell.Result.Elapsed.Seconds(), cell.Result.Restored)
			if cell.Result.Status != 12 {
				t.Errorf("%s: KVM_GET_API_VERSION gave %d, want 12: %s", h.Name(), cell.Result.Status, cell.Result.Stderr)
			}
			if !strings.HasPrefix(cell.Result.Release, h.Kernel+".") {
				t.Errorf("%s: the kernel is %s", h.Name(), cell.Result.Release)
			}
		}
		switch {
		case restored[i].Err != nil:
		case h.CPUs > 1 && restored[i].Result.Restored:
			t.Errorf("%s: was restored", h.Name())
		case h.CPUs <= 1 && !restored[i].Result.Restored && !fromSnapshot(t, h, job).Restored:
			t.Errorf("%s: is not restored from a snapshot", h.Name())
		}
	}
}

// fromSnapshot runs a job until it ran from a snapshot. A restored kernel at EL2
// at times does not get its timers (docs/lab.md): it is then booted instead, and
// leaves another snapshot. Three in a row would be something else.
func fromSnapshot(t *testing.T, h lab.Host, job lab.Job) (result lab.Result) {
	t.Helper()
	for range 3 {
		if result = labtest.Run(t, h, job); result.Restored {
			break
		}
		t.Logf("%s: was booted in %.2f s, not restored", h.Name(), result.Elapsed.Seconds())
	}
	return result
}

func TestLiveGuiseItself(t *testing.T) {
	result := labtest.Run(t, lab.Host{Kernel: "6.12", CPU: "cortex-a53"}, lab.Job{Args: []string{"version"}})
	if result.Status != 0 || !strings.HasPrefix(string(result.Stdout), "guise ") {
		t.Errorf("status %d, %q, %q", result.Status, result.Stdout, result.Stderr)
	}
}

func TestLiveFilesGoInAndOut(t *testing.T) {
	content := make([]byte, 1_500_000)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	for _, kernel := range []string{"6.1", "7.2"} {
		job := demo(t, "copy")
		job.Files = []lab.File{{Path: "in", Content: content}}
		job.Outputs = []string{"out", "never written"}
		result := labtest.Run(t, lab.Host{Kernel: kernel, CPU: "neoverse-n1"}, job)
		if result.Status != 0 || len(result.Files) != 1 {
			t.Fatalf("status %d, %d files: %s", result.Status, len(result.Files), result.Stderr)
		}
		got := result.Files[0]
		if got.Path != "out" || got.Mode != 0o600 || string(got.Content) != string(content) {
			t.Errorf("%s: %s came back with mode %o and %d bytes", kernel, got.Path, got.Mode, len(got.Content))
		}
	}
}

func TestLiveFailuresAreTyped(t *testing.T) {
	for _, test := range []struct {
		demo    string
		host    lab.Host
		want    error
		console string
	}{
		{"panic", lab.Host{Kernel: "7.2", CPU: "cortex-a72"}, lab.ErrPanic, "Kernel panic"},
		{"hang", lab.Host{Kernel: "6.12", CPU: "cortex-a72", Limit: 20 * time.Second}, lab.ErrHang, ""},
		{"memory", lab.Host{Kernel: "6.12", CPU: "cortex-a72"}, lab.ErrOutOfMemory, "Out of memory"},
		{"kvm", lab.Host{Kernel: "6.12", CPU: "cortex-a72", Memory: 64}, lab.ErrOutOfMemory, ""},
	} {
		t.Run(test.demo, func(t *testing.T) {
			_, err := lab.Run(t.Context(), test.host, demo(t, test.demo))
			var missing *lab.MissingError
			if errors.As(err, &missing) {
				testenv.Missing(t, "%v (%s)", missing, missing.Hint)
			}
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			var failure *lab.HostError
			if !errors.As(err, &failure) || !strings.Contains(failure.Console, test.console) {
				t.Errorf("the console does not say %q: %v", test.console, err)
			}
		})
	}
}

// TestLiveSnapshotHostsAreAlikeButNotTheSame: hosts restored from one snapshot
// have the right time of day and random numbers of their own.
func TestLiveSnapshotHostsAreAlikeButNotTheSame(t *testing.T) {
	job := demo(t, "random")
	for _, h := range labtest.Everyday(t, lab.Hosts(lab.Host{}, []string{"5.10", "7.2"}, []string{"neoverse-n1"}), "7.2/neoverse-n1") {
		kernel := h.Kernel
		labtest.Run(t, h, job) // leaves the snapshot, if there was none
		seen := map[string]bool{}
		for range 2 {
			result := fromSnapshot(t, h, job)
			if !result.Restored {
				t.Errorf("%s was booted although there is a snapshot", kernel)
			}
			random, now, _ := strings.Cut(string(result.Stdout), " ")
			if len(random) != 32 || seen[random] {
				t.Errorf("%s: random bytes %q; an earlier host had %v", kernel, random, seen)
			}
			seen[random] = true
			clock, err := time.Parse(time.RFC3339, now)
			if err != nil || time.Since(clock).Abs() > time.Minute {
				t.Errorf("%s: its time of day is %s, %v", kernel, now, err)
			}
		}
	}
}

// TestLiveTimersRunInRestoredHosts: in restored hosts whose kernel runs at EL2
// nothing that sleeps was seen to wake until the guest set its timer again, and
// the host hung.
func TestLiveTimersRunInRestoredHosts(t *testing.T) {
	job := demo(t, "timers")
	for _, h := range labtest.Everyday(t, lab.Hosts(lab.Host{}, []string{"5.10", "6.12", "7.2"}, []string{"neoverse-n1"}), "5.10/neoverse-n1") {
		labtest.Run(t, h, job)
		if result := fromSnapshot(t, h, job); !result.Restored || result.Status != 0 {
			t.Errorf("%s: %+v", h.Name(), result)
		}
	}
}

// TestLiveRestoredHostThatHangsIsBooted: a job that a restored host took and did nothing
// for is done by one that is booted, unless someone saw a part of it.
func TestLiveRestoredHostThatHangsIsBooted(t *testing.T) {
	h := lab.Host{Kernel: "6.1", CPU: "cortex-a53", Memory: 288}
	job := demo(t, "timers")
	labtest.Run(t, h, job)
	if result := fromSnapshot(t, h, job); !result.Restored {
		t.Fatalf("was not restored: %+v", result)
	}
	h.Limit = 10 * time.Second
	calls := 0
	job.Monitor = func(_ context.Context, ask func(string) (string, error)) {
		if calls++; calls == 1 {
			if _, err := ask("stop"); err != nil {
				t.Error(err)
			}
		}
	}
	if result := labtest.Run(t, h, job); result.Restored || result.Status != 0 || calls != 2 {
		t.Errorf("%d machines did the job: %+v", calls, result)
	}
}

// TestLiveDamagedSnapshotIsMadeAgain: a snapshot that cannot be restored is
// not the user's problem.
func TestLiveDamagedSnapshotIsMadeAgain(t *testing.T) {
	h := lab.Host{Kernel: "7.2", CPU: "cortex-a53", Memory: 320}
	job := demo(t, "kvm")
	labtest.Run(t, h, job)
	damageSnapshot(t, h)
	if result := labtest.Run(t, h, job); result.Restored || result.Status != 12 {
		t.Errorf("from a damaged snapshot: %+v", result)
	}
	if result := fromSnapshot(t, h, job); !result.Restored || result.Status != 12 {
		t.Errorf("after it was made again: %+v", result)
	}
}

// TestLiveNothingIsLeft: whatever ends the program that started a host, QEMU
// ends with it.
func TestLiveNothingIsLeft(t *testing.T) {
	labtest.Run(t, lab.Host{Kernel: "6.12", CPU: "cortex-a53"}, demo(t, "kvm")) // or there is no lab
	program := labtest.Binary(t, "arm64")
	for _, signal := range []os.Signal{unix.SIGKILL, unix.SIGTERM} {
		mark := fmt.Sprintf("%s/%d-%v", t.TempDir(), os.Getpid(), signal)
		parent := exec.Command(os.Args[0])
		parent.Env = append(os.Environ(), "GUISE_LAB_DEMO=parent", "GUISE_LAB_MARK="+mark, "GUISE_LAB_PROGRAM="+program)
		out, err := parent.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		parent.Stderr = os.Stderr
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		// It writes a line once its host's job runs.
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		emulator := processWith(t, mark)
		if emulator == 0 {
			t.Fatal("no QEMU runs while the job does")
		}
		if err := parent.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait()
		// A killed process needs a moment to be gone; the test's own time
		// limit bounds the wait.
		for processWith(t, mark) != 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// demoParent starts a host whose command line can be found by its mark and
// waits for its end.
func demoParent() int {
	h := lab.Host{Kernel: "6.12", CPU: "cortex-a53", Fresh: true, Append: []string{"guise_mark=" + os.Getenv("GUISE_LAB_MARK")}}
	_, err := lab.Run(context.Background(), h, lab.Job{
		Program: os.Getenv("GUISE_LAB_PROGRAM"), Env: []string{"GUISE_LAB_DEMO=hang"}, Stdout: os.Stdout,
	})
	println(err.Error())
	return 1
}

// processWith is the id of a QEMU that has a text in its command line, or 0.
func processWith(t *testing.T, text string) int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), text) && strings.HasPrefix(filepath.Base(firstWord(line)), "qemu-system-") {
			id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
	}
	return 0
}

func firstWord(cmdline []byte) string {
	word, _, _ := strings.Cut(string(cmdline), "\x00")
	return word
}

// damageSnapshot cuts off the snapshot of a host.
func damageSnapshot(t *testing.T, h lab.Host) {
	t.Helper()
	state, err := lab.SnapshotFile(t.Context(), h)
	if err == nil {
		err = os.Truncate(state, 1<<20)
	}
	if err != nil {
		t.Fatal(err)
	}
}

package lab

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

func TestParseQEMUVersion(t *testing.T) {
	for text, want := range map[string]string{
		"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright": "10.0.2",
		"QEMU emulator version 7.2.22":  "7.2.22",
		"QEMU emulator version 11.0.50": "11.0.50",
		"qemu 10.0":                     "",
		"":                              "",
	} {
		got, _, err := parseQEMUVersion(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		host Host
		want []string // each in the line, as words
	}{
		{Host{Kernel: "6.12", CPU: "neoverse-v1"}, []string{"-machine virt,virtualization=on,gic-version=3 ", "-cpu neoverse-v1 ", "-smp 1 ", "-m 512 ", "console=ttyAMA0 quiet panic=-1 oops=panic guise_lab=1"}},
		{Host{Options: []string{"mte=on", "gic-version=2"}}, []string{"-machine virt,virtualization=on,gic-version=2,mte=on ", "-cpu max "}},
		{Host{Append: []string{"kvm-arm.mode=protected"}, CPUs: 2, Memory: 1024}, []string{"-smp 2 ", "-m 1024 ", "guise_lab=1 kvm-arm.mode=protected"}},
		{Host{Arch: "ppc64le"}, []string{"-machine powernv10 ", "-m 2048 ", "console=hvc0 "}},
		{Host{Arch: "ppc64le", Machine: "powernv9"}, []string{"-machine powernv9 "}},
	} {
		h, a, err := test.host.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join(append(machineArguments(h, a), bootArguments(h, a, "/k", "/i")...), " ") + " "
		for _, want := range append(test.want, "-kernel /k -initrd /i ", "name=guise.lab", "-no-reboot ", "fd=3", "fd=4") {
			if !strings.Contains(line, want) {
				t.Errorf("%+v: no %q in %s", test.host, want, line)
			}
		}
		if strings.Contains(line, "-daemonize") {
			t.Error("QEMU would outlive its parent")
		}
	}
	if _, _, err := (Host{Arch: "s390x"}).withDefaults(); err == nil || !strings.Contains(err.Error(), "arm64, ppc64le") {
		t.Errorf("an unknown architecture: %v", err)
	}
}

// TestArchitectures is the completeness of the table.
func TestArchitectures(t *testing.T) {
	for name, a := range architectures {
		for what, text := range map[string]string{
			"Debian's name": a.debian, "flavour": a.flavour, "emulator": a.emulator,
			"package": a.emulatorPackage, "machine": a.machine, "console": a.console,
		} {
			if text == "" {
				t.Errorf("%s has no %s", name, what)
			}
		}
		if a.memory == 0 {
			t.Errorf("%s has no memory", name)
		}
	}
}

func TestName(t *testing.T) {
	for want, h := range map[string]Host{
		"6.12/neoverse-v1":                  {Kernel: "6.12", CPU: "neoverse-v1"},
		"Image/max,mte=on":                  {Kernel: "./build/Image", CPU: "max", Options: []string{"mte=on"}},
		"7.2/max,kvm-arm.mode=nested":       {Kernel: "7.2", CPU: "max", Append: []string{"kvm-arm.mode=nested"}},
		"7.2/powernv9":                      {Kernel: "7.2", Arch: "ppc64le", Machine: "powernv9"},
		"7.2/neoverse-n1,gic-version=2,a=b": {Kernel: "7.2", CPU: "neoverse-n1", Options: []string{"gic-version=2"}, Append: []string{"a=b"}},
	} {
		if got := h.Name(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestInitramfsRoundTrip(t *testing.T) {
	modules := []module{{"virtio_pci", []byte("first")}, {"virtio_console", []byte("second!")}}
	archive, err := initramfs([]byte("the init"), modules)
	if err != nil {
		t.Fatal(err)
	}
	again, err := initramfs([]byte("the init"), modules)
	if err != nil || !bytes.Equal(archive, again) {
		t.Errorf("equal contents gave other bytes (%v): snapshots could not be found again", err)
	}
	type entry struct {
		Mode    cpio.FileMode
		Content string
	}
	got := map[string]entry{}
	var order []string
	r := cpio.NewReader(bytes.NewReader(archive))
	for {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = entry{header.Mode, string(content)}
		order = append(order, header.Name)
	}
	want := map[string]entry{
		"init":                             {cpio.TypeReg | 0o755, "the init"},
		"lab":                              {cpio.TypeDir | 0o755, ""},
		"lab/modules":                      {cpio.TypeDir | 0o755, ""},
		"lab/modules/00-virtio_pci.ko":     {cpio.TypeReg | 0o644, "first"},
		"lab/modules/01-virtio_console.ko": {cpio.TypeReg | 0o644, "second!"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The kernel makes no directory it was not told of before.
	if slices.Index(order, "lab") > slices.Index(order, "lab/modules") || slices.Index(order, "lab/modules") > slices.Index(order, "lab/modules/00-virtio_pci.ko") {
		t.Errorf("in the order %v", order)
	}
}

func TestModuleName(t *testing.T) {
	for file, want := range map[string]string{
		"kvm-hv.ko.xz": "kvm_hv", "virtio_pci.ko": "virtio_pci", "modules.dep": "", "kvm.ko.zst": "", "README": "",
	} {
		if got, ok := moduleName(file); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", file, got, ok)
		}
	}
}

func TestResolveModules(t *testing.T) {
	directory := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("modules.builtin", "kernel/virt/lib/irqbypass.ko\n")
	put("broken.ko", "not a module")
	tree, err := openModuleTree(directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tree.resolve(t.Context(), []string{"irqbypass", "absent"}, true); len(got) != 0 || err != nil {
		t.Errorf("built in and absent: %v, %v", got, err)
	}
	if _, err := tree.resolve(t.Context(), []string{"absent"}, false); err == nil || !strings.Contains(err.Error(), "module absent: ") {
		t.Errorf("absent: %v", err)
	}
	if _, err := tree.resolve(t.Context(), []string{"broken"}, true); err == nil || !strings.Contains(err.Error(), "broken.ko") {
		t.Errorf("broken: %v", err)
	}
}

func TestModulesBeside(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"boot", "lib/modules/6.1.0-arm64", "usr/lib/modules/7.2-arm64"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for image, want := range map[string]string{
		"boot/vmlinuz-6.1.0-arm64":          "lib/modules/6.1.0-arm64",
		"usr/lib/modules/7.2-arm64/vmlinuz": "usr/lib/modules/7.2-arm64",
		"boot/vmlinuz-5.10":                 "",
		"build/Image":                       "",
	} {
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got := modulesBeside(filepath.Join(root, image)); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

func TestConsoleKeepsTheEnd(t *testing.T) {
	var c console
	for i := range 10_000 {
		c.Write([]byte(strings.Repeat("x", 10) + string(rune('a'+i%26)) + "\r\n"))
	}
	if text := c.String(); len(text) != consoleKept || !strings.HasSuffix(text, "\r\n") {
		t.Errorf("%d bytes were kept", len(text))
	}
	if lines := strings.Split(tail(c.String()), "\n"); len(lines) != consoleShown {
		t.Errorf("%d lines are shown", len(lines))
	}
}

func TestCauseOfDeath(t *testing.T) {
	for text, want := range map[string]error{
		"[ 1.0] Kernel panic - not syncing: Attempted to kill init!":                              ErrPanic,
		"[ 1.0] Kernel panic - not syncing: System is deadlocked on memory":                       ErrOutOfMemory,
		"[ 1.0] Unable to handle kernel NULL pointer dereference\n[ 1.0] Internal error: Oops: 1": ErrPanic,
		"booting\nreboot: Power down\n":                                                           ErrStopped,
	} {
		if got := causeOfDeath(text, ErrStopped); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	text := "before\n\r\nKernel panic - not syncing: x\r\n" + strings.Repeat("trace\n", 100)
	if got := tail(text); !strings.HasPrefix(got, "Kernel panic - not syncing: x\ntrace\n") || strings.Count(got, "\n") != consoleShown-1 {
		t.Errorf("after a panic it shows %q", got)
	}
}

func TestHostErrorSaysAll(t *testing.T) {
	err := error(&HostError{Host: "6.12/max", Reason: ErrHang, Detail: "2m0s without a sign of life", Console: "one\ntwo"})
	want := "lab host 6.12/max: the host hangs: 2m0s without a sign of life\nthe last lines of its console:\n  one\n  two"
	if err.Error() != want || !errors.Is(err, ErrHang) {
		t.Errorf("%v", err)
	}
}

// TestMonitor speaks QEMU's side of the protocol, with events where they are
// least welcome.
func TestMonitor(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		requests := bufio.NewScanner(theirs)
		say := func(line string) { io.WriteString(theirs, line+"\n") }
		say(`{"QMP": {"version": {}, "capabilities": []}}`)
		for requests.Scan() {
			switch line := requests.Text(); {
			case strings.Contains(line, "qmp_capabilities"):
				say(`{"return": {}}`)
			case strings.Contains(line, `"stop"`):
				say(`{"timestamp": {}, "event": "STOP"}`)
				say(`{"return": {}}`)
			case strings.Contains(line, `"migrate"`):
				say(`{"return": {}}`)
				say(`{"event": "MIGRATION", "data": {"status": "setup"}}`)
				say(`{"event": "MIGRATION", "data": {"status": "failed"}}`)
			case strings.Contains(line, "query-migrate"):
				say(`{"return": {"status": "failed", "error-desc": "no space left"}}`)
			case strings.Contains(line, "human-monitor-command"):
				say(`{"return": "0x1000\r\n"}`)
			case strings.Contains(line, "migrate-set"):
				say(`{"return": {}}`)
			default:
				say(`{"error": {"class": "GenericError", "desc": "what?"}}`)
			}
		}
	}()
	m, err := openMonitor(ours)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.save("/nowhere"); err == nil || err.Error() != "QEMU: migration failed: no space left" {
		t.Errorf("a migration that fails: %v", err)
	}
	if text, err := m.human("p/x $nip"); text != "0x1000\r\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := m.execute("nonsense", nil); err == nil || err.Error() != "QEMU: nonsense: what?" {
		t.Errorf("nonsense: %v", err)
	}
}

func TestPrune(t *testing.T) {
	directory := t.TempDir()
	var all []snapshot
	for i, name := range []string{"oldest", "old", "new"} {
		base := filepath.Join(directory, name)
		s := snapshot{base + ".state", base + ".json", base + ".lock"}
		all = append(all, s)
		for path, size := range map[string]int{s.state: 64 << 10, s.hello: 10} {
			if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		when := time.Unix(1_000_000+int64(i), 0)
		if err := os.Chtimes(s.hello, when, when); err != nil {
			t.Fatal(err)
		}
	}
	there := func() (names []string) {
		t.Helper()
		for _, s := range all {
			_, stateErr := os.Stat(s.state)
			_, helloErr := os.Stat(s.hello)
			if (stateErr == nil) != (helloErr == nil) {
				t.Errorf("half of %s is left", s.state)
			}
			if stateErr == nil {
				names = append(names, strings.TrimSuffix(filepath.Base(s.state), ".state"))
			}
		}
		return names
	}
	for _, test := range []struct {
		space int64
		want  []string
	}{
		{1 << 20, []string{"oldest", "old", "new"}},
		{130 << 10, []string{"oldest", "new"}}, // oldest is the one just made
		{0, []string{"oldest"}},
	} {
		if err := prune(directory, test.space, all[0]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, there()); diff != "" {
			t.Errorf("%d bytes: %s", test.space, diff)
		}
	}
}

// TestSnapshotDigest: whatever makes another machine makes another snapshot.
func TestSnapshotDigest(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	base := func() *machine {
		return &machine{
			qemu: emulator{path: "/usr/bin/qemu", version: "10.0.2"}, kernelDigest: "k",
			args: []string{"-cpu", "max"}, bootArgs: []string{"-initrd", "digest.cpio"},
		}
	}
	seen := map[string]string{}
	for what, change := range map[string]func(*machine){
		"nothing":       func(*machine) {},
		"QEMU":          func(m *machine) { m.qemu.version = "10.0.3" },
		"kernel":        func(m *machine) { m.kernelDigest = "l" },
		"CPU":           func(m *machine) { m.args[1] = "a64fx" },
		"initramfs":     func(m *machine) { m.bootArgs[1] = "other.cpio" },
		"words moved":   func(m *machine) { m.args = []string{"-cpu max"} },
		"one more word": func(m *machine) { m.args = append(m.args, "-smp") },
	} {
		m := base()
		change(m)
		s, err := snapshotOf(m)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s.state]; ok {
			t.Errorf("%s and %s have one snapshot", what, other)
		}
		seen[s.state] = what
	}
}

func TestSourceDigest(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	digest := func() string {
		t.Helper()
		d, err := sourceDigest(root)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	write("a.go", "package a")
	first := digest()
	for _, ignored := range []string{".git/index", "a_test.go", "testdata/x", "docs/y.md"} {
		if write(ignored, "x"); digest() != first {
			t.Errorf("%s is no source", ignored)
		}
	}
	for _, source := range []string{"b.go", "catalog/embedded.json", "go.sum"} {
		if write(source, "x"); digest() == first {
			t.Errorf("%s is a source", source)
		}
		first = digest()
	}
}

func TestHosts(t *testing.T) {
	got := Hosts(Host{Memory: 1024}, []string{"6.1", "7.2"}, []string{"max", "a64fx"})
	want := []Host{
		{Kernel: "6.1", CPU: "max", Memory: 1024}, {Kernel: "6.1", CPU: "a64fx", Memory: 1024},
		{Kernel: "7.2", CPU: "max", Memory: 1024}, {Kernel: "7.2", CPU: "a64fx", Memory: 1024},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

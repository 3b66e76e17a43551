package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/testenv"
)

// archive is a stand-in for the package client, in front of the real one on
// the path: it has packages in a directory, lists more than it has, as mirrors
// do, and notes each call.
const archiveClient = `#!/bin/sh
set -e
here=$(dirname "$0")
echo "$(basename "$0") $*" >>"$here/calls"
while [ $# -gt 0 ]; do
	case $1 in
	-c) test -f "$2"; shift 2 ;;
	-o) shift 2 ;;
	indextargets) echo "http://mirror/debian/ Debian"; exit ;;
	update) exit ;;
	pkgnames) grep "^$2" "$here/names" || true; exit ;;
	madison) cat "$here/madison"; exit ;;
	download) cp "$here/debs/$(echo "$2" | tr = _)_arm64.deb" . || { echo "E: Failed to fetch $2  404  Not Found" >&2; exit 100; }; exit ;;
	*) echo "E: $1?" >&2; exit 100 ;;
	esac
done
`

// newArchive puts the stand-in on the path, with a real package for each of the
// kernels that exist.
func newArchive(t *testing.T, exist ...candidate) (directory string) {
	t.Helper()
	dpkg := testenv.Tool(t, "dpkg", "dpkg-deb")
	if _, err := os.Stat(keyring); err != nil {
		testenv.Missing(t, "%v; apt-get install debian-archive-keyring", err)
	}
	directory = t.TempDir()
	listed := append([]candidate{{"linux-image-6.12.118+deb13-arm64", "6.12.118-1", "trixie-security"}}, exist...)
	var names, madison strings.Builder
	for _, p := range listed {
		if strings.HasPrefix(p.name, "linux-modules-") {
			continue // nobody asks for a list of those
		}
		fmt.Fprintln(&names, p.name)
		fmt.Fprintf(&madison, "%s | %s | http://mirror/debian %s/main arm64 Packages\n", p.name, p.version, p.suite)
	}
	write(t, directory, "names", names.String(), 0o644)
	write(t, directory, "madison", madison.String(), 0o644)
	write(t, directory, "apt-get", archiveClient, 0o755)
	write(t, directory, "apt-cache", archiveClient, 0o755)
	for _, p := range exist {
		root := filepath.Join(t.TempDir(), "package")
		release := p.name[strings.IndexAny(p.name, "0123456789"):]
		write(t, root, "DEBIAN/control", fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: arm64\nMaintainer: nobody\nDescription: none\n", p.name, p.version), 0o644)
		write(t, root, "boot/vmlinuz-"+release, "the kernel "+p.version, 0o644)
		write(t, root, "usr/lib/modules/"+release+"/kernel/kvm.ko", "a module", 0o644)
		target := filepath.Join(directory, "debs", p.name+"_"+p.version+"_arm64.deb")
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(dpkg, "--build", "--root-owner-group", root, target).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Setenv("PATH", directory+":"+os.Getenv("PATH"))
	return directory
}

func write(t *testing.T, directory, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(directory, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func calls(t *testing.T, archive, of string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(archive, "calls"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " "+of) {
			count++
		}
	}
	return count
}

var existing = []candidate{
	{"linux-image-6.12.95+deb12-arm64", "6.12.95-1~bpo12+1", "bookworm-backports"},
	{"linux-image-6.12.117+deb13-arm64", "6.12.117-1", "trixie-security"},
}

// TestFetchTakesTheNewestThatIsThere: the newest that is listed is gone from
// the mirror; the next is not the one that is listed first.
func TestFetchTakesTheNewestThatIsThere(t *testing.T) {
	newArchive(t, existing...)
	directory := t.TempDir()
	var said []string
	kernels, err := Fetch(t.Context(), Request{
		Directory: directory, Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12", "6.12.95"},
		Report: func(line string) { said = append(said, line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if kernels[0].Version != "6.12.117" || kernels[0].Release != "6.12.117+deb13-arm64" || kernels[1].Version != "6.12.95" {
		t.Fatalf("got %+v", kernels)
	}
	if passed := kernels[0].PassedOver; !slices.Equal(passed, []string{"6.12.118-1"}) || kernels[1].PassedOver != nil {
		t.Errorf("passed over: %q for 6.12, %q for 6.12.95", passed, kernels[1].PassedOver)
	}
	if !strings.Contains(strings.Join(said, "\n"), "linux-image-6.12.118+deb13-arm64 6.12.118-1: passed over: apt-get: exit status 100: Failed to fetch") {
		t.Errorf("nothing was said of the newest: %q", said)
	}
	image, err := os.ReadFile(filepath.Join(directory, kernels[0].Image))
	if string(image) != "the kernel 6.12.117-1" || err != nil {
		t.Errorf("the image holds %q, %v", image, err)
	}
	if _, err := os.Stat(filepath.Join(directory, kernels[0].Modules, "kernel/kvm.ko")); err != nil {
		t.Error(err)
	}
	p := kernels[0].Packages[0]
	if p.Suite != "trixie-security" || len(p.SHA256) != 64 || len(kernels[0].ImageSHA256) != 64 {
		t.Errorf("the manifest has %+v", kernels[0])
	}
	leftovers, err := filepath.Glob(filepath.Join(directory, "new-*"))
	if err != nil || len(leftovers) != 0 {
		t.Errorf("left behind: %v, %v", leftovers, err)
	}
}

func TestFetchAgain(t *testing.T) {
	archive := newArchive(t, existing...)
	request := Request{Directory: t.TempDir(), Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12"}}
	fetch := func() Kernel {
		t.Helper()
		kernels, err := Fetch(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return kernels[0]
	}
	first := fetch()
	before := calls(t, archive, "")
	if fetch(); calls(t, archive, "") != before {
		t.Error("what is here was asked of the mirror")
	}
	// What does not agree with its digest is fetched again.
	write(t, request.Directory, first.Image, "something else", 0o644)
	if again := fetch(); again.ImageSHA256 != first.ImageSHA256 || calls(t, archive, "download") != 4 {
		t.Errorf("a damaged kernel: %+v after %d downloads", again, calls(t, archive, "download"))
	}
	module := filepath.Join(first.Modules, "kernel/kvm.ko")
	write(t, request.Directory, module, "something else", 0o644)
	downloaded := calls(t, archive, "download linux-image-6.12.117")
	if again := fetch(); again.ModulesSHA256 != first.ModulesSHA256 || calls(t, archive, "download linux-image-6.12.117") != downloaded+1 {
		t.Errorf("a damaged module: %+v", again)
	}
	digests, err := first.ReadModuleDigests(request.Directory)
	if err != nil || len(digests["kernel/kvm.ko"]) != 64 {
		t.Errorf("the list of modules: %v, %v", digests, err)
	}
	write(t, request.Directory, first.ModuleList(), "", 0o644)
	if _, err := first.ReadModuleDigests(request.Directory); err == nil || !strings.Contains(err.Error(), "the manifest has "+first.ModulesSHA256) {
		t.Errorf("a list that was changed: %v", err)
	}
	if again := fetch(); again.ModulesSHA256 != first.ModulesSHA256 || calls(t, archive, "download linux-image-6.12.117") != downloaded+2 {
		t.Errorf("a damaged list: %+v", again)
	}
	if digest, err := Digest(filepath.Join(request.Directory, first.Image)); digest != first.ImageSHA256 || err != nil {
		t.Errorf("it is still damaged: %v", err)
	}
	// A kernel from before there were lists of modules is kept.
	manifest, err := ReadManifest(request.Directory)
	if err != nil {
		t.Fatal(err)
	}
	for i := range manifest.Kernels {
		manifest.Kernels[i].ModulesSHA256 = ""
	}
	if err := manifest.write(request.Directory); err != nil {
		t.Fatal(err)
	}
	downloaded = calls(t, archive, "download")
	if again := fetch(); again.ModulesSHA256 != first.ModulesSHA256 || calls(t, archive, "download") != downloaded {
		t.Errorf("a kernel without a list: %+v", again)
	}
	noted, err := ReadManifest(request.Directory)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := noted.Find("arm64", "6.12"); !ok || k.ModulesSHA256 != first.ModulesSHA256 {
		t.Errorf("the manifest has %+v", k)
	}
	// Refresh asks, and keeps what is still the newest that can be had.
	request.Refresh = true
	downloads := calls(t, archive, "download linux-image-6.12.117")
	if again := fetch(); again.Version != "6.12.117" || calls(t, archive, "download linux-image-6.12.117") != downloads {
		t.Errorf("refreshed: %+v", again)
	}
}

func TestFetchTakesTurns(t *testing.T) {
	archive := newArchive(t, existing...)
	request := Request{Directory: t.TempDir(), Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12"}}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if kernels, err := Fetch(t.Context(), request); err != nil || kernels[0].Version != "6.12.117" {
				t.Errorf("%v, %v", kernels, err)
			}
		})
	}
	group.Wait()
	if n := calls(t, archive, "download linux-image-6.12.117"); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
}

func TestFetchSaysWhatIsNotThere(t *testing.T) {
	newArchive(t)
	request := Request{Directory: t.TempDir(), Arch: "arm64", Flavour: "arm64"}
	for version, want := range map[string]string{
		"6.99":     "kernel 6.99: no suite of Debian has one for arm64",
		"6.12":     "kernel 6.12: none of the 1 packages could be fetched: apt-get: exit status 100: Failed to fetch",
		"nonsense": `"nonsense" is no kernel version`,
	} {
		request.Versions = []string{version}
		if k, err := Fetch(t.Context(), request); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, %v", version, k, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	request.Versions = []string{"6.12"}
	if _, err := Fetch(canceled, request); err == nil {
		t.Error("fetched although nobody waits any more")
	}
}

// TestFetchWithoutModules: the image of a kernel is there and its modules are
// not. One that has both is better, even if it is older.
func TestFetchWithoutModules(t *testing.T) {
	modules := candidate{"linux-modules-6.19.8+deb13-arm64", "6.19.8-1", "sid"}
	binaries := []candidate{{"linux-binary-6.19.8+deb13-arm64", "6.19.8-1", "sid"}, {"linux-binary-6.19.14+deb13-arm64", "6.19.14-1", "sid"}}
	for _, want := range []struct {
		exist    []candidate
		release  string
		packages int
	}{
		{binaries, "6.19.14+deb13-arm64", 1},
		{append([]candidate{modules}, binaries...), "6.19.8+deb13-arm64", 2},
	} {
		newArchive(t, want.exist...)
		kernels, err := Fetch(t.Context(), Request{
			Directory: t.TempDir(), Arch: "arm64", Flavour: "arm64", Versions: []string{"6.19"}, Report: func(string) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		k := kernels[0]
		if k.Release != want.release || len(k.Packages) != want.packages || !strings.HasPrefix(k.Packages[0].Name, "linux-binary-") {
			t.Errorf("got %+v", k)
		}
	}
}

// fetchInto names the directory into which the test binary fetches a kernel, and
// does nothing else, where it is in the environment.
const fetchInto = "GUISE_TEST_FETCH_INTO"

func TestMain(m *testing.M) {
	directory := os.Getenv(fetchInto)
	if directory == "" {
		os.Exit(m.Run())
	}
	if _, err := Fetch(context.Background(), Request{Directory: directory, Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12"}}); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

// TestKilledFetchLeavesNothing: a fetch that is killed takes its programs with it,
// and the next one clears its directory.
func TestKilledFetchLeavesNothing(t *testing.T) {
	archive := newArchive(t, existing...)
	directory := t.TempDir()
	running := filepath.Join(archive, "running")
	// An apt-get that says that it runs, and does so until it is killed.
	write(t, archive, "apt-get", "#!/bin/sh\necho $$ >"+running+".new\nmv "+running+".new "+running+"\nexec sleep 1000\n", 0o755)
	fetch := exec.Command(os.Args[0])
	fetch.Env = append(os.Environ(), fetchInto+"="+directory)
	if err := fetch.Start(); err != nil {
		t.Fatal(err)
	}
	var id int
	for id == 0 { // the test's own end bounds the wait
		text, err := os.ReadFile(running)
		if err == nil {
			id, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	write(t, directory, "new-1/root/half", "half a kernel", 0o644)
	if err := fetch.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = fetch.Wait()
	for unix.Kill(id, 0) == nil && !isZombie(t, id) {
		runtime.Gosched()
	}
	write(t, archive, "apt-get", archiveClient, 0o755)
	if _, err := Fetch(t.Context(), Request{Directory: directory, Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12"}}); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(directory, "new-*")); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// isZombie reports whether a process has ended and nobody has asked how.
func isZombie(t *testing.T, id int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

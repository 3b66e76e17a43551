//go:build unix

package atomicfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/testenv"
)

func TestModes(t *testing.T) {
	directory := t.TempDir()
	for _, umask := range []int{0o022, 0o077, 0o002, 0} {
		defer syscall.Umask(syscall.Umask(umask))
		for _, perm := range []fs.FileMode{0o666, 0o600, 0o755} {
			path := filepath.Join(directory, fmt.Sprintf("new-%o-%o", umask, perm))
			if err := Write(path, []byte("new"), perm); err != nil {
				t.Fatal(err)
			}
			wantMode(t, path, perm&^fs.FileMode(umask))
		}
		for _, mode := range []fs.FileMode{0o600, 0o644, 0o640, 0o777, 0o200} {
			path := filepath.Join(directory, "old")
			put(t, path, "old", mode)
			if err := Write(path, []byte("new"), 0o666); err != nil {
				t.Fatal(err)
			}
			wantMode(t, path, mode)
		}
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != want {
		t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
	}
}

func TestOwnerStays(t *testing.T) {
	if os.Getuid() != 0 {
		testenv.Missing(t, "only root may give files away; run the test as root")
	}
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "old", 0o640)
	if err := os.Chown(path, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1234 || stat.Gid != 2345 {
		t.Errorf("owner %d, group %d", stat.Uid, stat.Gid)
	}
	wantMode(t, path, 0o640)
}

// TestDeviceStays: what stands in for /dev/null is a device of the test's own.
func TestDeviceStays(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "null")
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		testenv.Missing(t, "cannot make a device (%v); run the test as root", err)
	}
	link := filepath.Join(directory, "link")
	if err := os.Symlink("null", link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if err := Write(name, []byte("gone"), 0o666); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeCharDevice == 0 {
			t.Fatalf("the device became %v, %v", info.Mode(), err)
		}
	}
	wantOnly(t, directory, "link", "null")
}

func TestFIFOIsWrittenThrough(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("x"), 1<<20) // more than a pipe holds
	wrote := make(chan error, 1)
	go func() { wrote <- Write(path, content, 0o666) }()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the FIFO became %v, %v", info.Mode(), err)
	}
	wantOnly(t, directory, "fifo")
}

// TestDescriptorsAreWrittenThrough: a name that leads to an open file of this
// process is written where that stands, even when it is a regular file.
func TestDescriptorsAreWrittenThrough(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "file")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("before "); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/fd/%d", file.Fd())
	if _, err := os.Stat(name); err != nil {
		testenv.Missing(t, "%v: this system does not name open files", err)
	}
	link := filepath.Join(directory, "link")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{name, link} {
		if err := Write(to, []byte("within "), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := file.WriteString("after"); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "before within within after")
}

// TestFullDisk: the reason is told, the old content stays, nothing is left.
func TestFullDisk(t *testing.T) {
	directory := t.TempDir()
	full := filepath.Join(directory, "full")
	if err := unix.Mknod(full, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 7))); err != nil {
		testenv.Missing(t, "cannot make a device (%v); run the test as root", err)
	}
	if err := Write(full, []byte("x"), 0o666); err == nil || err.Error() != full+": could not be written: no space left on device" {
		t.Errorf("%v", err)
	}
	// A limit of the process on the size of files stands in for a disk with
	// room for less than the file.
	path := filepath.Join(directory, "file")
	put(t, path, "old", 0o644)
	out, err := child(t, "limited", directory).Output()
	if err != nil || !strings.Contains(string(out), path+": could not be written: file too large\n") {
		t.Errorf("%v: %s", err, out)
	}
	wantContent(t, path, "old")
	wantOnly(t, directory, "file", "full")
}

// children are what this test binary does when it is started again.
var children = map[string]func(directory string){
	// limited writes more than it may.
	"limited": func(directory string) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
			fmt.Println(err)
		}
		fmt.Println(Write(filepath.Join(directory, "file"), make([]byte, 1<<20), 0o666))
	},
	// writer writes old and new files until it is killed, and tells of each.
	"writer": func(directory string) {
		for i := 0; ; i++ {
			for _, name := range []string{"old", fmt.Sprint("new", i)} {
				if err := Write(filepath.Join(directory, name), content(i), 0o666); err != nil {
					fmt.Println(err)
					return
				}
			}
			fmt.Println("wrote")
		}
	},
	// named is writer on a file system that has no unnamed files.
	"named": func(directory string) {
		for i := 0; ; i++ {
			t := &target{path: filepath.Join(directory, "old"), fd: -1}
			file, err := createNamed(directory, 0o666)
			if err == nil {
				_, err = file.Write(content(i))
			}
			if err == nil {
				err = file.rename(t)
			}
			if err != nil {
				fmt.Println(err)
				return
			}
			file.discard()
			fmt.Println("wrote")
		}
	},
}

// content is a file of the children's: one letter, over and over.
func content(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i%26)}, 50_000) }

func child(t *testing.T, which, directory string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), "ATOMICFILE_CHILD="+which, "ATOMICFILE_DIRECTORY="+directory)
	command.Stderr = os.Stderr
	return command
}

func TestMain(m *testing.M) {
	if do := children[os.Getenv("ATOMICFILE_CHILD")]; do != nil {
		do(os.Getenv("ATOMICFILE_DIRECTORY"))
		return
	}
	os.Exit(m.Run())
}

// TestKilled kills writers at random: every file is whole, and once somebody
// writes again there is nothing but files.
func TestKilled(t *testing.T) {
	for which, kills := range map[string]int{"writer": 40, "named": 20} {
		left := 0
		for range kills {
			left += killWriter(t, which)
		}
		testenv.Figure(t, "atomicfile: %d writers killed (%s), %d temporary names left behind, all removed by the next", kills, which, left)
	}
}

func killWriter(t *testing.T, which string) (left int) {
	directory := t.TempDir()
	put(t, filepath.Join(directory, "old"), string(content(0)), 0o644)
	command := child(t, which, directory)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for range 1 + rand.IntN(5) {
		if line, err := lines.ReadString('\n'); err != nil || line != "wrote\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	// The moment of the kill: after a random amount of work of our own.
	for range rand.IntN(1 << 22) {
		left++
	}
	left = 0
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	_ = command.Wait()

	if err := Write(filepath.Join(directory, "last"), []byte("last"), 0o666); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), namePrefix) {
			left++
		} else if e.Name() != "last" {
			got, err := os.ReadFile(filepath.Join(directory, e.Name()))
			if err != nil || len(got) != len(content(0)) || len(bytes.Trim(got, string(got[:1]))) != 0 {
				t.Errorf("%s: %d bytes, %v: not whole", e.Name(), len(got), err)
			}
		}
	}
	if err := Write(filepath.Join(directory, "old"), []byte("next"), 0o666); err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(filepath.Join(directory, namePrefix+"*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	return left
}

// TestSweepSparesTheLiving: a name that a living writer holds stays, whoever
// looks; so does a file that only looks like one.
func TestSweepSparesTheLiving(t *testing.T) {
	directory := t.TempDir()
	living, err := createNamed(directory, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer living.discard()
	put(t, filepath.Join(directory, namePrefix+"notes"+nameSuffix), "a user's", 0o644)
	dead := randomName(directory)
	put(t, dead, "dead", 0o644)
	swept.Delete(directory)
	sweep(directory)
	wantOnly(t, directory, filepath.Base(living.name), namePrefix+"notes"+nameSuffix)
}

// TestAbandon: what is being written goes, and nothing new comes.
func TestAbandon(t *testing.T) {
	directory := t.TempDir()
	file, err := createNamed(directory, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	Abandon()
	wantOnly(t, directory)
	if names.TryLock() {
		t.Error("another writer could go on")
	}
	names.Unlock()
	file.discard()
}

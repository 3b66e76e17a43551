package debian

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/testenv"
)

// mirror is an archive of one suite with one kernel, served over HTTP. The real
// package client reads it. What it has may be changed between reads.
type mirror struct {
	t     *testing.T
	gpg   string
	home  string // of the keys
	files map[string][]byte
	url   string
}

const mirroredKernel = "linux-image-6.12.117+deb13-arm64"

func newMirror(t *testing.T) *mirror {
	t.Helper()
	testenv.Tool(t, "apt", "apt-get")
	m := &mirror{t: t, gpg: testenv.Tool(t, "gnupg", "gpg"), home: t.TempDir(), files: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := m.files[strings.TrimPrefix(r.URL.Path, "/debian/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(content)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL + "/debian"
	t.Setenv("no_proxy", "127.0.0.1")
	ring := filepath.Join(t.TempDir(), "keyring.gpg")
	for _, name := range []string{"archive", "stranger"} {
		m.run(nil, "--quick-generate-key", name, "default", "sign", "never")
	}
	if err := os.WriteFile(ring, m.run(nil, "--export", "archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	// The client gives up its rights before it reads keys.
	for directory := filepath.Dir(ring); directory != os.TempDir() && directory != "/"; directory = filepath.Dir(directory) {
		if err := os.Chmod(directory, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := keyring
	keyring = ring
	t.Cleanup(func() { keyring = before })
	return m
}

func (m *mirror) run(input []byte, arguments ...string) []byte {
	m.t.Helper()
	command := exec.Command(m.gpg, append([]string{"--homedir", m.home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"}, arguments...)...)
	command.Stdin = bytes.NewReader(input)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		m.t.Fatalf("gpg %v: %v: %s", arguments, err, &complaint)
	}
	return out
}

// publish puts a package of the kernel into trixie; see publishIn.
func (m *mirror) publish(version, key string) {
	m.t.Helper()
	m.publishIn("trixie", version, key)
}

// publishIn puts a package of the kernel into a suite, with lists that the named
// key signs; nobody does where it is "".
func (m *mirror) publishIn(suite, version, key string) {
	m.t.Helper()
	work := m.t.TempDir()
	root := filepath.Join(work, "package")
	write(m.t, root, "DEBIAN/control", fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: arm64\nMaintainer: nobody\nDescription: none\n", mirroredKernel, version), 0o644)
	write(m.t, root, "boot/vmlinuz-6.12.117+deb13-arm64", "the kernel "+version, 0o644)
	path := filepath.Join(work, "k.deb")
	if out, err := exec.Command("dpkg-deb", "--build", "--root-owner-group", root, path).CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	deb, err := os.ReadFile(path)
	if err != nil {
		m.t.Fatal(err)
	}
	name := "pool/" + mirroredKernel + "_" + version + "_arm64.deb"
	m.files[name] = deb
	packages := fmt.Appendf(nil, "Package: %s\nVersion: %s\nArchitecture: arm64\nMaintainer: nobody\nDescription: none\nFilename: %s\nSize: %d\nSHA256: %x\n\n", mirroredKernel, version, name, len(deb), sha256.Sum256(deb))
	m.files["dists/"+suite+"/main/binary-arm64/Packages"] = packages
	release := fmt.Appendf(nil, "Origin: Debian\nLabel: Debian\nSuite: stable\nCodename: %s\nDate: Sat, 01 Aug 2026 00:00:00 UTC\nArchitectures: arm64\nComponents: main\nSHA256:\n %x %d main/binary-arm64/Packages\n", suite, sha256.Sum256(packages), len(packages))
	delete(m.files, "dists/"+suite+"/InRelease")
	m.files["dists/"+suite+"/Release"] = release
	if key != "" {
		m.files["dists/"+suite+"/InRelease"] = m.run(release, "--local-user", key, "--clearsign")
	}
}

// TestMirrorsThatLie: what a mirror changes, cuts off or signs itself is not
// taken; an old list that was signed is, and its kernel says which it is.
func TestMirrorsThatLie(t *testing.T) {
	m := newMirror(t)
	deb := "pool/" + mirroredKernel + "_6.12.117-1_arm64.deb"
	for name, test := range map[string]struct {
		lie  func()
		want string // in the error; "" for none
	}{
		"an honest mirror":           {func() {}, ""},
		"a package that was changed": {func() { m.files[deb][len(m.files[deb])-1] ^= 1 }, "Hash Sum mismatch"},
		"a package that is cut off":  {func() { m.files[deb] = m.files[deb][:len(m.files[deb])/2] }, "File has unexpected size"},
		"a package that goes on":     {func() { m.files[deb] = append(m.files[deb], 0) }, "File has unexpected size"},
		"a list that was changed":    {func() { m.files["dists/trixie/main/binary-arm64/Packages"][0] ^= 1 }, "no suite of Debian has one for arm64"},
		"a list that is cut off":     {func() { p := "dists/trixie/main/binary-arm64/Packages"; m.files[p] = m.files[p][:40] }, "no suite of Debian has one for arm64"},
		"a release that was changed": {func() {
			r := m.files["dists/trixie/InRelease"]
			m.files["dists/trixie/InRelease"] = bytes.Replace(r, []byte("stable"), []byte("stably"), 1)
		}, "no suite of Debian has one for arm64"},
		"a release of another key":     {func() { m.publish("6.12.117-1", "stranger") }, "no suite of Debian has one for arm64"},
		"a release that nobody signed": {func() { m.publish("6.12.117-1", "") }, "no suite of Debian has one for arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			m.files = map[string][]byte{}
			m.publish("6.12.117-1", "archive")
			test.lie()
			directory := t.TempDir()
			kernels, err := Fetch(t.Context(), Request{Directory: directory, Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12"}, Mirrors: Mirrors{Archive: m.url, Security: m.url + "-security"}})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want == "":
				if image, err := os.ReadFile(filepath.Join(directory, kernels[0].Image)); string(image) != "the kernel 6.12.117-1" || err != nil {
					t.Errorf("%q, %v", image, err)
				}
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("%v, want %q", err, test.want)
			}
			if left, err := filepath.Glob(filepath.Join(directory, "arm64", "*")); err != nil || (len(left) > 0) != (test.want == "") {
				t.Errorf("unpacked: %v, %v", left, err)
			}
		})
	}
}

// TestListsThatAreNotSignedAreSaid: where another suite has the kernel, a suite whose
// list is not taken is news all the same.
func TestListsThatAreNotSignedAreSaid(t *testing.T) {
	m := newMirror(t)
	m.publishIn("trixie", "6.12.117-1", "archive")
	m.publishIn("bookworm", "6.12.118-1", "stranger")
	var said []string
	kernels, err := Fetch(t.Context(), Request{
		Directory: t.TempDir(), Arch: "arm64", Flavour: "arm64", Versions: []string{"6.12"},
		Mirrors: Mirrors{Archive: m.url, Security: m.url + "-security"}, Report: func(line string) { said = append(said, line) },
	})
	if err != nil || kernels[0].Version != "6.12.117" {
		t.Fatalf("%+v, %v", kernels, err)
	}
	if text := strings.Join(said, "\n"); !strings.HasPrefix(text, "package lists for arm64: ") || !strings.Contains(text, "bookworm InRelease") {
		t.Errorf("said %q; want a word on bookworm's list", text)
	}
}

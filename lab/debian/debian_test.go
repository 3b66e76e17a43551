package debian

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersions(t *testing.T) {
	for _, bad := range []string{"", "6", "6.", "six", "6.12.1.2", "6.-1", "6.12-rc1"} {
		if v, err := ParseVersion(bad); err == nil {
			t.Errorf("%q was read as %v", bad, v)
		}
	}
	ordered := []string{"5.10.223", "6.1.176", "6.1.192", "6.12.9", "6.12.117", "6.18.15", "7.2.9", "7.2.13"}
	shuffled := slices.Clone(ordered)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, CompareVersions)
	if diff := cmp.Diff(ordered, shuffled); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		version, wanted string
		matches         bool
	}{
		{"6.12.117", "6.12", true}, {"6.12.117", "6.12.117", true}, {"6.1.12", "6.12", false},
		{"6.12.117", "6.1", false}, {"6.12.117", "6.12.11", false},
	} {
		if Matches(test.version, test.wanted) != test.matches {
			t.Errorf("%s matches %s: want %v", test.version, test.wanted, test.matches)
		}
	}
}

func TestKernelNames(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-56-arm64", "linux-image-6.1.0-0.deb11.52-arm64", "linux-image-6.12.74+deb13+1-arm64",
		"linux-image-6.12.90+deb12.1-arm64", "linux-binary-7.2.13+deb14-arm64",
		// None of these holds a standard kernel.
		"linux-image-6.12-arm64", "linux-image-arm64", "linux-image-6.12.90+deb12-cloud-arm64",
		"linux-image-6.12.90+deb12-rt-arm64", "linux-image-6.12.90+deb12-arm64-16k", "linux-image-6.12.90+deb12-arm64-dbg",
		"linux-image-6.12.90+deb12-arm64-unsigned", "linux-image-6.12.90+deb12-powerpc64le", "linux-headers-6.12.90+deb12-arm64",
	}
	for version, want := range map[string][]string{
		"6.1":     {"linux-image-6.1.0-56-arm64", "linux-image-6.1.0-0.deb11.52-arm64"},
		"6.1.192": {"linux-image-6.1.0-56-arm64", "linux-image-6.1.0-0.deb11.52-arm64"},
		"6.12":    {"linux-image-6.12.74+deb13+1-arm64", "linux-image-6.12.90+deb12.1-arm64"},
		"7.2":     {"linux-binary-7.2.13+deb14-arm64"},
		"5.10":    {},
		"six":     nil,
	} {
		if diff := cmp.Diff(want, kernelNames(names, "arm64", version)); diff != "" {
			t.Errorf("%s: %s", version, diff)
		}
	}
}

func TestParseMadison(t *testing.T) {
	got := preferBinary(parseMadison(`linux-binary-7.2.13+deb14-arm64 |   7.2.13-1 | http://mirror/debian sid/main arm64 Packages
linux-image-7.2.13+deb14-arm64 |   7.2.13-1 | http://mirror/debian sid/main arm64 Packages
linux-image-6.1.0-50-arm64 |  6.1.176-1 | http://mirror/debian bookworm/main arm64 Packages
linux-image-6.1.0-50-arm64 |  6.1.176-1 | http://mirror/debian-security bookworm-security/main arm64 Packages
N: a remark
`))
	want := []candidate{
		{"linux-binary-7.2.13+deb14-arm64", "7.2.13-1", "sid"},
		{"linux-image-6.1.0-50-arm64", "6.1.176-1", "bookworm"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(candidate{})); diff != "" {
		t.Error(diff)
	}
	if got[1].upstream() != "6.1.176" {
		t.Errorf("upstream version %s", got[1].upstream())
	}
}

func TestParseTargets(t *testing.T) {
	got := parseTargets("http://other/ Other\nhttp://a/debian/ Debian\nhttp://b/debian/ Debian\nhttp://s/debian-security/ Debian-Security\nhttp://x/ \n")
	if want := (Mirrors{"http://a/debian/", "http://s/debian-security/"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestComplaints(t *testing.T) {
	for text, want := range map[string]string{
		"W: a warning\nE: one thing\nE: another\n": "one thing; another",
		" only this ": "only this",
	} {
		if got := complaints(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func testManifest() *Manifest {
	m := &Manifest{Schema: Schema}
	for _, version := range []string{"6.12.95", "6.12.117", "6.1.192"} {
		m.add(Kernel{
			Arch: "arm64", Version: version, Release: version + "+deb-arm64", Image: "arm64/" + version + "/vmlinuz",
			Packages: []Package{{Name: "linux-image-" + version, Version: version + "-1", Suite: "sid", SHA256: "00"}},
		})
	}
	return m
}

func TestManifest(t *testing.T) {
	m := testManifest()
	for wanted, version := range map[string]string{
		"6.12": "6.12.117", "6.12.95": "6.12.95", "6.1": "6.1.192", "6.12.95+deb-arm64": "6.12.95", "6.18": "", "6.12.11": "",
	} {
		k, ok := m.Find("arm64", wanted)
		if ok != (version != "") || k.Version != version {
			t.Errorf("%s: found %q", wanted, k.Version)
		}
	}
	if _, ok := m.Find("ppc64el", "6.12"); ok {
		t.Error("a kernel of another architecture was found")
	}
	// Setting up again replaces.
	k := m.Kernels[0]
	k.ImageSHA256 = "ff"
	m.add(k)
	if found, _ := m.Find("arm64", k.Release); len(m.Kernels) != 3 || found.ImageSHA256 != "ff" {
		t.Errorf("%d kernels; digest %q", len(m.Kernels), found.ImageSHA256)
	}
	directory := t.TempDir()
	if empty, err := ReadManifest(directory); err != nil || len(empty.Kernels) != 0 {
		t.Errorf("no manifest yet: %v, %v", empty, err)
	}
	if err := m.write(directory); err != nil {
		t.Fatal(err)
	}
	read, err := ReadManifest(directory)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, read); diff != "" {
		t.Error(diff)
	}
}

func TestParseManifestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"schema":"guise/lab-kernels/v2","kernels":[]}`:                                                              "expected",
		`{"schema":"guise/lab-kernels/v1","kernels":[],"more":1}`:                                                     "more",
		`{"schema":"guise/lab-kernels/v1","kernels":[{"release":"r","image":"/etc/passwd","version":"6.12"}]}`:        "outside",
		`{"schema":"guise/lab-kernels/v1","kernels":[{"release":"r","image":"i","modules":"../m","version":"6.12"}]}`: "outside",
		`{"schema":"guise/lab-kernels/v1","kernels":[{"release":"r","image":"i","version":"new"}]}`:                   "kernel r: ",
		`{"schema":"guise/lab-kernels/v1","schema":"guise/lab-kernels/v1"}`:                                           "duplicate",
		"{\n\"schema\":1}": "line 2: /schema: want a string, there is a number",
	} {
		if m, err := ParseManifest([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schema":"guise/lab-kernels/v1","kernels":[{"arch":"arm64","version":"6.12.1","release":"r","packages":[],"image":"i","imageSHA256":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if (m == nil) == (err == nil) {
			t.Fatalf("%v and %v", m, err)
		}
	})
}

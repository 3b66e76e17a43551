package guest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/lab/channel"
)

// recorder stands in for the kernel: it notes what is mounted and fails what
// it is told to.
type recorder struct {
	made  []string
	fails []string
}

var errRefused = errors.New("refused")

func (r *recorder) mkdir(string) error { return nil }
func (r *recorder) mount(kind, _ string, _ uintptr, _ string) error {
	if slices.Contains(r.fails, kind) {
		return errRefused
	}
	r.made = append(r.made, kind)
	return nil
}

func TestMountTable(t *testing.T) {
	var all []string
	targets := map[string]bool{}
	for _, m := range mounts {
		all = append(all, m.kind)
		if targets[m.target] {
			t.Errorf("%s is mounted on twice", m.target)
		}
		targets[m.target] = true
		// What is mounted inside another must come after it.
		for parent := filepath.Dir(m.target); parent != "/"; parent = filepath.Dir(parent) {
			if slices.ContainsFunc(mounts, func(p mount) bool { return p.target == parent }) && !targets[parent] {
				t.Errorf("%s comes before %s", m.target, parent)
			}
		}
	}
	r := new(recorder)
	if err := mountAll(r, mounts); err != nil || !slices.Equal(r.made, all) {
		t.Errorf("mounted %v, %v; want %v", r.made, err, all)
	}
	for _, m := range mounts {
		err := mountAll(&recorder{fails: []string{m.kind}}, mounts)
		if m.required != (err != nil) {
			t.Errorf("%s fails: %v; required is %v", m.kind, err, m.required)
		}
		if err != nil && (!errors.Is(err, errRefused) || !strings.Contains(err.Error(), m.target)) {
			t.Errorf("%s fails: the error does not say so: %v", m.kind, err)
		}
	}
}

func TestFindPort(t *testing.T) {
	class := t.TempDir()
	for device, name := range map[string]string{"vport0p1": "other\n", "vport1p1": channel.PortName + "\n"} {
		if err := os.MkdirAll(filepath.Join(class, device), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, device, "name"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	device, err := findPort(class, channel.PortName)
	if device != "vport1p1" || err != nil {
		t.Errorf("found %q, %v", device, err)
	}
	if _, err := findPort(filepath.Join(class, "absent"), channel.PortName); err == nil || !strings.Contains(err.Error(), "CONFIG_VIRTIO_CONSOLE") {
		t.Errorf("no driver: %v", err)
	}
}

func TestCountOOMKills(t *testing.T) {
	for text, want := range map[string]int{"": 0, "pgfault 3\noom_kill 2\nunevictable 0\n": 2, "oom_kill x\n": 0} {
		if got := countOOMKills(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestReceiveRefusesNonsense: whatever comes, the init answers with a reason.
func TestReceiveRefusesNonsense(t *testing.T) {
	for name, frames := range map[string][]channel.Frame{
		"content before a name": {{Kind: channel.KindFileData, Payload: []byte("x")}},
		"a frame of the guest":  {{Kind: channel.KindEnd}},
		"a job that is not one": {{Kind: channel.KindJob, Payload: []byte("[]")}},
		"an early end":          nil,
	} {
		var stream, answer bytes.Buffer
		w := channel.NewWriter(&stream)
		for _, f := range frames {
			if err := w.Write(f.Kind, f.Payload); err != nil {
				t.Fatal(err)
			}
		}
		if err := serve(&stream, channel.NewWriter(&answer), nil); err != nil {
			t.Fatal(err)
		}
		frame, err := channel.Read(&answer)
		if err != nil {
			t.Fatal(err)
		}
		var end channel.End
		if err := channel.Decode(frame, channel.KindEnd, &end); err != nil || end.Error == "" || end.Status != -1 {
			t.Errorf("%s: %+v, %v", name, end, err)
		}
	}
}

func TestReceiveWritesFiles(t *testing.T) {
	directory := t.TempDir()
	var stream bytes.Buffer
	w := channel.NewWriter(&stream)
	for path, content := range map[string]string{"a": "first", "deep/b": "second"} {
		err := channel.SendFile(w, channel.FileHeader{Path: filepath.Join(directory, path), Mode: 0o600}, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(channel.KindStart, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(&stream, nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a": "first", "deep/b": "second"} {
		got, err := os.ReadFile(filepath.Join(directory, path))
		if string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}
}

// TestJobFindsItsDirectories: a job may write where a directory stands on the
// machine that sent it, empty, so that no file brought it along.
func TestJobFindsItsDirectories(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "job")
	other := filepath.Join(t.TempDir(), "other")
	job := channel.Job{Directory: directory, Outputs: []string{"host.json", "empty/deep/c.json", filepath.Join(other, "d.json")}}
	if err := makeDirectories(&job); err != nil {
		t.Fatal(err)
	}
	for _, path := range job.Outputs {
		if err := os.WriteFile(within(directory, path), []byte("written"), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// TestRunJob runs this test's own binary as the job.
func TestRunJob(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	end := runJob(channel.Job{
		Program: executable, Directory: t.TempDir(), Args: []string{"-test.run=TestChild"},
		Env: []string{"GUISE_GUEST_CHILD=1"},
	}, channel.NewWriter(&stream), nil)
	if end != (channel.End{Status: 7}) {
		t.Errorf("it ended with %+v", end)
	}
	got := map[channel.Kind]string{}
	for stream.Len() > 0 {
		f, err := channel.Read(&stream)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Kind] += string(f.Payload)
	}
	if got[channel.KindStdout] != "to stdout" || got[channel.KindStderr] != "to stderr" {
		t.Errorf("it wrote %q", got)
	}
	if end := runJob(channel.Job{Program: "/nonexistent", Directory: "/"}, channel.NewWriter(&stream), nil); end.Error == "" {
		t.Error("a program that is not there was run")
	}
}

func TestChild(t *testing.T) {
	if os.Getenv("GUISE_GUEST_CHILD") == "" {
		return
	}
	os.Stdout.WriteString("to stdout")
	os.Stderr.WriteString("to stderr")
	os.Exit(7)
}

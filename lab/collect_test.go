package lab

import (
	"bytes"
	"strings"
	"testing"

	"github.com/guise-project/guise/lab/channel"
)

// conversation writes what a host sends.
type conversation struct {
	t      *testing.T
	stream bytes.Buffer
	w      *channel.Writer
}

func converse(t *testing.T) *conversation {
	c := &conversation{t: t}
	c.w = channel.NewWriter(&c.stream)
	return c
}

func (c *conversation) file(path string, mode uint32, content string) *conversation {
	c.t.Helper()
	if err := channel.SendFile(c.w, channel.FileHeader{Path: path, Mode: mode}, strings.NewReader(content)); err != nil {
		c.t.Fatal(err)
	}
	return c
}

func (c *conversation) bytes(kind channel.Kind, payload string) *conversation {
	c.t.Helper()
	if err := c.w.Write(kind, []byte(payload)); err != nil {
		c.t.Fatal(err)
	}
	return c
}

func (c *conversation) end() *conversation {
	c.t.Helper()
	if err := channel.Send(c.w, channel.KindEnd, channel.End{}); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// TestHostsGiveWhatWasAskedFor: a host that was taken over sends what it likes.
func TestHostsGiveWhatWasAskedFor(t *testing.T) {
	for name, test := range map[string]struct {
		sent *conversation
		want string
	}{
		"another file":                  {converse(t).file("/etc/profile", 0o644, "evil").end(), `the host sent file "/etc/profile", which the job did not ask for`},
		"the same file by another name": {converse(t).file("./out", 0o644, "evil").end(), `the host sent file "./out", which the job did not ask for`},
		"a path that ends alike":        {converse(t).file("../out", 0o644, "evil").end(), `the host sent file "../out", which the job did not ask for`},
		"a file twice":                  {converse(t).file("out", 0o644, "a").file("out", 0o644, "b").end(), `the host sent file "out" twice`},
		"a file that is too long":       {converse(t).file("out", 0o644, strings.Repeat("x", 1001)).end(), `file "out": the files of a job have more than`},
		"files that are too long":       {converse(t).file("out", 0o644, strings.Repeat("x", 600)).file("more", 0o644, strings.Repeat("x", 401)).end(), `file "more": the files of a job have more than`},
		"content without a name":        {converse(t).bytes(channel.KindFileData, "x").end(), "content came before the name of its file"},
		"a frame of the host side":      {converse(t).bytes(channel.KindJob, "{}").end(), "a frame of kind 4 from the init"},
		"no end":                        {converse(t).file("out", 0o644, "x"), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			c := collector{job: &Job{Outputs: []string{"out", "more"}}, maxKept: 1000, maxOutputs: 1000}
			_, err := c.collect(&test.sent.stream)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestHostsCannotMakeFilesExecutable(t *testing.T) {
	sent := converse(t).file("out", 0o4755, "#!/bin/sh").file("more", 0o600, strings.Repeat("x", 991)).end()
	c := collector{job: &Job{Outputs: []string{"out", "more"}}, maxKept: 0, maxOutputs: 1000}
	result, err := c.collect(&sent.stream)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Files) != 2 || result.Files[0].Mode != 0o644 || result.Files[1].Mode != 0o600 {
		t.Errorf("%d files, modes %o and %o", len(result.Files), result.Files[0].Mode, result.Files[1].Mode)
	}
}

// TestOutputIsKeptUpToItsBound: the terminal gets all of it.
func TestOutputIsKeptUpToItsBound(t *testing.T) {
	sent := converse(t)
	for range 5 {
		sent.bytes(channel.KindStdout, strings.Repeat("o", 300)).bytes(channel.KindStderr, strings.Repeat("e", 100))
	}
	var live bytes.Buffer
	c := collector{job: &Job{Stdout: &live}, maxKept: 1000, maxOutputs: 1000}
	result, err := c.collect(&sent.end().stream)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Stdout) != 1000 || len(result.Stderr) != 500 || result.NotKept != 500 || live.Len() != 1500 {
		t.Errorf("kept %d and %d, not kept %d, live %d", len(result.Stdout), len(result.Stderr), result.NotKept, live.Len())
	}
}

func TestReleasesAreReleases(t *testing.T) {
	for _, odd := range []string{"6.12\x1b[2J", "6.12\nyes", strings.Repeat("6", 65)} {
		var stream bytes.Buffer
		if err := channel.Send(channel.NewWriter(&stream), channel.KindHello, channel.Hello{Version: channel.Version, Release: odd}); err != nil {
			t.Fatal(err)
		}
		if _, err := greet(&stream); err == nil || !strings.Contains(err.Error(), "which is no release") {
			t.Errorf("%q: %v", odd, err)
		}
	}
}

func TestHostErrorsAreEscaped(t *testing.T) {
	err := &HostError{Host: "6.12/max", Reason: ErrChannel, Detail: "a\nyes b", Console: "one\x1b[2J\ntwo"}
	want := `lab host 6.12/max: the channel failed: a\nyes b` + "\nthe last lines of its console:\n  one" + `\x1b[2J` + "\n  two"
	if err.Error() != want {
		t.Errorf("%q, want %q", err.Error(), want)
	}
}

package progress

import (
	"bytes"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestShortWorkIsSilent: what is over within a second is not worth a word.
func TestShortWorkIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := New(&out)
		task := d.Task("reading hosts", 100, Things)
		time.Sleep(900 * time.Millisecond)
		task.Add(100)
		task.Done()
		time.Sleep(time.Minute)
		d.Close()
		if out.Len() != 0 {
			t.Errorf("said %q of 0.9 seconds of work", &out)
		}
	})
}

// TestLines: without a terminal a line when a second is over, then every ten
// seconds, then at the end.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := New(&out)
		task := d.Task("reading hosts", 10_000, Things)
		fetch := d.Task("fetching linux-6.12", 0, Bytes)
		build := d.Task("building the init", 0, Things)
		task.Add(1200)
		fetch.Set(3_100_000, 0)
		time.Sleep(12 * time.Second)
		task.Set(10_000, 10_000)
		task.Done()
		task.Done()
		fetch.Set(5_000_000, 12_345_678)
		fetch.Done()
		build.Done()
		d.Close()
		d.Close()
		want := []string{
			"reading hosts: 1200 of 10000", "fetching linux-6.12: 3.1 MB", "building the init: ...",
			"reading hosts: 1200 of 10000", "fetching linux-6.12: 3.1 MB", "building the init: ...",
			"reading hosts: 10000 of 10000, done in 12.0 s", "fetching linux-6.12: 5.0 MB of 12.3 MB, done in 12.0 s",
			"building the init: done in 12.0 s",
		}
		if got := strings.TrimSpace(out.String()); got != strings.Join(want, "\n") {
			t.Errorf("said\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
}

// TestEager: where it was asked for, short work is shown too.
func TestEager(t *testing.T) {
	var out bytes.Buffer
	d := Eager(&out)
	d.Task("reading hosts", 2, Things).Done()
	d.Task("booting", 0, Things).Fail()
	d.Close()
	if want := regexp.MustCompile(`^reading hosts: 0 of 2\nreading hosts: 0 of 2, done in \d+\.\d s\nbooting: \.\.\.\nbooting: failed after \d+\.\d s\n$`); !want.Match(out.Bytes()) {
		t.Errorf("said\n%s\nwant %s", &out, want)
	}
}

// TestSay: what is to stay is written whatever is shown, and between bars too.
func TestSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		for name, d := range map[string]*Display{"lines": New(&out), "silent": Silent(&out), "bars": newDisplay(newBars(&out))} {
			out.Reset()
			d.Say("before")
			task := d.Task("fetching", 0, Bytes)
			time.Sleep(2 * time.Second)
			d.Say("6.12.118: passed over")
			time.Sleep(time.Second)
			task.Done()
			d.Say("after")
			d.Close()
			if text := out.String(); !strings.HasPrefix(text, "before\n") || !strings.Contains(text, "6.12.118: passed over") || !strings.HasSuffix(text, "after\n") {
				t.Errorf("%s: said %q", name, text)
			}
			if shown := strings.Contains(out.String(), "fetching"); shown == (name == "silent") {
				t.Errorf("%s: said %q", name, out.String())
			}
		}
	})
}

// TestFollow: the display asks for what nobody tells it, and a last time.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := New(&out)
		var size atomic.Int64
		task := d.Task("fetching", 5000, Bytes)
		stop := task.Follow(size.Load)
		size.Store(2000)
		time.Sleep(2 * time.Second)
		size.Store(5000)
		stop()
		size.Store(9000)
		task.Done()
		d.Close()
		if want := "fetching: 2.0 kB of 5.0 kB\nfetching: 5.0 kB of 5.0 kB, done in 2.0 s\n"; out.String() != want {
			t.Errorf("said %q, want %q", &out, want)
		}
	})
}

// TestNil: whoever does the work need not know whether anybody looks.
func TestNil(t *testing.T) {
	var d *Display
	task := d.Task("nothing", 0, Things)
	task.Add(1)
	task.Set(1, 2)
	task.Follow(func() int64 { return 0 })()
	task.Done()
	task.Fail()
	d.Say("nothing")
	d.Close()
	Start(t.Context(), "nothing", 0, Things).Done()
}

// TestBars: on a terminal a task has a bar with its name and how much is done.
func TestBars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := newDisplay(newBars(&out))
		quick := d.Task("a glance", 1, Things)
		quick.Done()
		task := d.Task("fetching linux-6.12", 20_000_000, Bytes)
		time.Sleep(2 * time.Second)
		task.Add(5_000_000)
		time.Sleep(time.Second)
		task.Add(15_000_000)
		task.Done()
		time.Sleep(time.Second)
		d.Close()
		for _, want := range []string{"fetching linux-6.12", "25.00%", "5.0 MB", "20.0 MB"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%q", want, &out)
			}
		}
		if strings.Contains(out.String(), "a glance") {
			t.Errorf("a bar for work of no time: %q", &out)
		}
	})
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.0 kB", 999_949: "999.9 kB", 12_345_678: "12.3 MB", 5e12: "5.0 TB"} {
		if got := Bytes.text(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
}

package progress

import (
	"bytes"
	"strings"
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

// TestNil: whoever does the work need not know whether anybody looks.
func TestNil(t *testing.T) {
	var d *Display
	task := d.Task("nothing", 0, Things)
	task.Add(1)
	task.Set(1, 2)
	task.Done()
	d.Close()
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

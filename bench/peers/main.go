// Peers runs "guise baseline" and "virsh cpu-baseline" side by side, as whole
// processes over the same number of CPUs that all differ, and prints the ratio
// of their times and their peak memory.
//
// What they do is alike, not equal: virsh (package libvirt-clients, with the
// test driver of libvirt-daemon-system, which needs no daemon) reads one file
// of x86 CPU models and feature names; guise reads one file a host with every
// feature register and what the host takes.
//
//	go run ./bench/peers
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	runs := flag.Int("runs", 9, "runs of each program for each size; the median counts")
	sizes := flag.String("sizes", "1,100,1000,10000", "numbers of hosts")
	program := flag.String("guise", "", "the guise to run; built from this module unless given")
	flag.Parse()
	if err := compare(os.Stdout, *program, *sizes, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// measured is what the runs of one program came to.
type measured struct {
	times  []time.Duration
	cpu    []time.Duration // of all processors, which other work on the machine changes less
	memory int64           // largest resident set of any run, in kB
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// run starts the program once and waits for it. Its status must be 0.
func (m *measured) run(directory string, command ...string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = directory
	var errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &errors
	start := time.Now()
	err := cmd.Run()
	m.times = append(m.times, time.Since(start))
	if err != nil {
		return fmt.Errorf("%s %s: %v: %s", command[0], command[1], err, errors.String())
	}
	m.cpu = append(m.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	m.memory = max(m.memory, int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss))
	return nil
}

func compare(w io.Writer, guise, sizes string, runs int) error {
	directory, err := os.MkdirTemp("", "guise-peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	if guise == "" {
		guise = filepath.Join(directory, "guise")
		build := exec.Command("go", "build", "-trimpath", "-o", guise, "github.com/guise-project/guise/cmd/guise")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build guise: %w", err)
		}
	} else if guise, err = filepath.Abs(guise); err != nil {
		return err
	}
	fmt.Fprintf(w, "%-34s %24s  %24s  %16s\n", "", "time, ms", "processor time, ms", "peak memory, MB")
	fmt.Fprintf(w, "%-34s %8s %8s %6s  %8s %8s %6s  %8s %7s\n", "baseline of", "virsh", "guise", "ratio", "virsh", "guise", "ratio", "virsh", "guise")
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		for _, form := range []string{"7 kB", "18 kB"} {
			if err := race(w, directory, guise, n, form, runs); err != nil {
				return err
			}
		}
	}
	for _, command := range [][]string{{"version"}, {"explain", "ID_AA64PFR0_EL1=0x1101000020110112"}} {
		var m measured
		for range 2*runs + 1 {
			if err := m.run(directory, append([]string{guise}, command...)...); err != nil {
				return err
			}
		}
		fmt.Fprintf(w, "guise %s: %.1f ms, processor time %.1f ms\n", strings.Join(command, " "), milliseconds(median(m.times)), milliseconds(median(m.cpu)))
	}
	return nil
}

// race runs both over n hosts, in turns, either first every other time.
func race(w io.Writer, directory, guise string, n int, form string, runs int) error {
	hosts := filepath.Join(directory, fmt.Sprintf("%d of %s", n, form))
	if err := os.Mkdir(hosts, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(hosts)
	names, err := writeCaptures(hosts, n, form == "18 kB")
	if err != nil {
		return err
	}
	const x86 = "x86.xml"
	if err := writeX86(filepath.Join(hosts, x86), n); err != nil {
		return err
	}
	packed := "fleet"
	if err := new(measured).run(hosts, append([]string{guise, "fleet", "pack", "-o", packed}, names...)...); err != nil {
		return err
	}
	var virsh, ours, fleet measured
	turns := []func() error{
		func() error {
			return virsh.run(hosts, "virsh", "-c", "test:///default", "cpu-baseline", x86)
		},
		func() error { return ours.run(hosts, append([]string{guise, "baseline"}, names...)...) },
		func() error { return fleet.run(hosts, guise, "baseline", packed) },
	}
	for i := range runs {
		for j := range turns {
			if err := turns[(i+j)%len(turns)](); err != nil {
				return err
			}
		}
	}
	for _, row := range []struct {
		what string
		m    *measured
	}{{fmt.Sprintf("%d in files of %s", n, form), &ours}, {fmt.Sprintf("%d of %s in one packed fleet", n, form), &fleet}} {
		fmt.Fprintf(w, "%-34s", row.what)
		for _, times := range [][2][]time.Duration{{virsh.times, row.m.times}, {virsh.cpu, row.m.cpu}} {
			theirs, ours := median(times[0]), median(times[1])
			fmt.Fprintf(w, " %8.1f %8.1f %6.2f ", milliseconds(theirs), milliseconds(ours), float64(ours)/float64(theirs))
		}
		fmt.Fprintf(w, " %8.1f %7.1f\n", float64(virsh.memory)/1024, float64(row.m.memory)/1024)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

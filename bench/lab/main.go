// Command lab measures what a snapshot saves: the same job on the same host of
// the lab, booted and restored in turn, in one run.
//
//	go run ./bench/lab -kernels 5.10,6.1,6.12,6.18,7.2 -cpus neoverse-n1
//
// It prints, for each host, the shortest time either way takes from the start
// of QEMU to the job's end, and their ratio; the aim is 0.25.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/guise-project/guise/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/lab:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	kernels := flags.String("kernels", "5.10,6.1,6.12,6.18,7.2", "kernel `versions`")
	cpus := flags.String("cpus", "cortex-a72,neoverse-n1,neoverse-v1", "CPU `models`")
	rounds := flags.Int("rounds", 3, "how often each is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	job := lab.Job{Args: []string{"version"}}
	fmt.Fprintf(out, "%-22s %8s %10s %6s\n", "host", "booted s", "restored s", "ratio")
	for _, host := range lab.Hosts(lab.Host{}, strings.Split(*kernels, ","), strings.Split(*cpus, ",")) {
		booted, restored, err := measure(ctx, host, job, *rounds)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-22s %8.2f %10.2f %6.2f\n", host.Name(), booted.Seconds(), restored.Seconds(), restored.Seconds()/booted.Seconds())
	}
	return nil
}

// measure takes the shortest of some rounds: what else the machine does only
// ever adds.
func measure(ctx context.Context, host lab.Host, job lab.Job, rounds int) (booted, restored time.Duration, err error) {
	fresh := host
	fresh.Fresh = true
	if _, err := lab.Run(ctx, host, job); err != nil { // leaves the snapshot
		return 0, 0, err
	}
	for range rounds {
		b, err := lab.Run(ctx, fresh, job)
		if err != nil {
			return 0, 0, err
		}
		r, err := lab.Run(ctx, host, job)
		if err != nil {
			return 0, 0, err
		}
		if b.Restored || !r.Restored {
			return 0, 0, errors.New(host.Name() + ": the snapshot was not there")
		}
		booted, restored = shorter(booted, b.Elapsed), shorter(restored, r.Elapsed)
	}
	return booted, restored, nil
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

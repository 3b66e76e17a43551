// Command prove measures a proof on a real kernel: how many ioctls it makes,
// and how long it takes against those ioctls alone, in one run.
//
//	go run ./bench/prove -kernel 7.2 -cpu neoverse-v1
//
// It runs BenchmarkProve of package kvm in a host of the lab. Under QEMU both
// the kernel and guise itself are emulated, and take about as much longer.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/guise-project/guise/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/prove:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("prove", flag.ContinueOnError)
	kernel := flags.String("kernel", "6.12", "kernel `version`")
	cpu := flags.String("cpu", "neoverse-n1", "CPU `model`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "bench-prove-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	program := filepath.Join(directory, "kvm.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-o", program, "github.com/guise-project/guise/kvm")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go test -c ./kvm: %v: %s", err, output)
	}
	host := lab.Host{Kernel: *kernel, CPU: *cpu, Fresh: true, Limit: 5 * time.Minute}
	result, err := lab.Run(ctx, host, lab.Job{Program: program, Args: []string{"-test.run=^$", "-test.bench=^BenchmarkProve$", "-test.benchtime=5s"}})
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return fmt.Errorf("%s: status %d: %s%s", host.Name(), result.Status, result.Stdout, result.Stderr)
	}
	for line := range strings.Lines(string(result.Stdout)) {
		if strings.HasPrefix(line, "BenchmarkProve") && strings.Contains(line, "ns/op") {
			fmt.Fprintf(out, "%s (%s): %s", host.Name(), result.Release, line)
		}
	}
	return nil
}

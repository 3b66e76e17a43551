// Command guise decides, applies and proves what a KVM guest is allowed to see
// of the machine under it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/guise-project/guise/lab/guest"
)

func main() {
	over, err := guest.Enter()
	if over {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "guise: %v\n", err)
		os.Exit(statusCannot)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

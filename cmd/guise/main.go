// Command guise decides, applies and proves what a KVM guest is allowed to see
// of the machine under it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/guise-project/guise/internal/atomicfile"
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
	crashBySignal()
	ctx := untilSignal(context.Background(), func(by interruption) { exit(by.status()) })
	exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// exit ends the process, and leaves nothing of files that are being written.
func exit(status int) {
	atomicfile.Abandon()
	os.Exit(status)
}

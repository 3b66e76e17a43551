//go:build !linux || !ppc64le

// Command vmm runs nested guests on a POWER host of the lab; on any other it
// only says so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "vmm: runs on linux/ppc64le only")
	os.Exit(4)
}

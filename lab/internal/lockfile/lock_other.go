//go:build !unix

package lockfile

import (
	"context"
	"errors"
)

// Lock says that it cannot.
func Lock(context.Context, string) (func(), error) {
	return nil, errors.New("the lab needs file locks, which this system does not have")
}

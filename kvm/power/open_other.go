//go:build !(linux && ppc64le)

package power

import (
	"context"

	"github.com/guise-project/guise"
)

// Here says whether this platform can have KVM-HV.
const Here = false

// Capture returns a *PlatformError: this platform has no KVM-HV.
func Capture(_ context.Context, path string) (*guise.Capture, error) {
	return nil, &PlatformError{Path: path}
}

// Prove returns a *PlatformError: this platform has no KVM-HV.
func Prove(_ context.Context, path string, _ *guise.Contract) (*guise.Proof, error) {
	return nil, &PlatformError{Path: path}
}

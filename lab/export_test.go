package lab

import "context"

// SnapshotFile is where the state of a host's snapshot is or would be.
func SnapshotFile(ctx context.Context, h Host) (string, error) {
	m, err := prepare(ctx, h)
	if err != nil {
		return "", err
	}
	s, err := snapshotOf(m)
	return s.state, err
}

package kernel

// BootedKernel is a kernel that was read or tried in the lab.
type BootedKernel struct {
	Version Version
	// release is what it reports (uname -r).
	release string
}

// Booted are the kernels that the log was held against, oldest first: of each
// series of Known the one that a version without a point release is answered by,
// where an answer must be of one kernel, and before it others.
var Booted = []BootedKernel{
	{Version{Major: 5, Minor: 10, point: 223 + 1}, "5.10.0-32-arm64"},
	{Version{Major: 6, Minor: 1, point: 192 + 1}, "6.1.0-56-arm64"},
	{Version{Major: 6, Minor: 12, point: 95 + 1}, "6.12.95+deb12-arm64"},
	{Version{Major: 6, Minor: 12, point: 117 + 1}, "6.12.117+deb13-arm64"},
	{Version{Major: 6, Minor: 16, point: 12 + 1}, "6.16.12+deb13-arm64"},
	{Version{Major: 6, Minor: 17, point: 13 + 1}, "6.17.13+deb13-arm64"},
	{Version{Major: 6, Minor: 18, point: 15 + 1}, "6.18.15+deb13-arm64"},
	{Version{Major: 6, Minor: 19, point: 14 + 1}, "6.19.14+deb13-arm64"},
	{Version{Major: 7, Minor: 0, point: 13 + 1}, "7.0.13+deb13-arm64"},
	{Version{Major: 7, Minor: 1, point: 13 + 1}, "7.1.13+deb13-arm64"},
	{Version{Major: 7, Minor: 2, point: 13 + 1}, "7.2.13+deb14-arm64"},
}

// booted returns the kernel that a series is answered by, and false for one that
// was not booted.
func booted(v Version) (Version, bool) {
	for i := len(Booted) - 1; i >= 0; i-- {
		if Booted[i].Version.Series() == v.Series() {
			return Booted[i].Version, true
		}
	}
	return Version{}, false
}

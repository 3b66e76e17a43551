//go:build !linux

package guest

// Init does nothing: only Linux starts guise as its init.
func Init() {}

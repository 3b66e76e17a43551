//go:build !linux

package readfile

func room(n int) []byte { return make([]byte, n) }

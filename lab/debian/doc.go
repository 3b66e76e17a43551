// Package debian fetches stock kernels for any architecture from Debian's
// archive, with the package client of the system: sources, lists, state and
// cache are in directories of its own, signatures are checked against the
// installed keyring, and the system's configuration is neither changed nor
// needed beyond the address of its mirror.
package debian

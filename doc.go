// Package guise decides what a KVM guest may see of the machine under it: it
// reads captures of what KVM on each host can give, computes a contract that
// every host would accept, and judges hosts against it.
//
// Everything in this package is pure: no clock, no files but those handed in,
// the same on every platform.
package guise

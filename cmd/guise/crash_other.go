//go:build !unix

package main

func crashBySignal() {}

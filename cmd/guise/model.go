package main

// modelCommand answers from the reference models, without a kernel.
type modelCommand struct {
	Nested nestedCommand `cmd:"" help:"What a nested hypervisor on POWER may reach and learn."`
}

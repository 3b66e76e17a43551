package main

// modelCommand answers from the reference models, without a kernel.
type modelCommand struct {
	Compare modelCompareCommand `cmd:"" help:"Put this machine's KVM beside the reference model, result by result."`
	Nested  nestedCommand       `cmd:"" help:"What a nested hypervisor on POWER may reach and learn."`
}

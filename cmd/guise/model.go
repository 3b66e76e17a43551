package main

// modelCommand answers from the reference models, without a kernel.
type modelCommand struct {
	Changes modelChangesCommand `cmd:"" help:"Print the change log between two kernels."`
	Run     modelRunCommand     `cmd:"" help:"Run scenarios on the model, this machine's KVM or hosts of the lab."`
	Test    modelTestCommand    `cmd:"" help:"Run the conformance suite."`
	Compare modelCompareCommand `cmd:"" help:"Put this machine's KVM beside the reference model, result by result."`
	Nested  nestedCommand       `cmd:"" help:"What a nested hypervisor on POWER may reach and learn."`
}

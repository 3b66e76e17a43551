package power

// Processor is a POWER server processor by the version half of its PVR.
type Processor struct {
	Version uint16 // the upper half of PVR
	Name    string
	Level   Level // the level of the architecture it implements
}

// Processors lists the processors that KVM-HV has run on (Linux
// arch/powerpc/include/asm/reg.h, PVR_POWER7 and on).
var Processors = []Processor{
	{0x003f, "POWER7", Level206},
	{0x004a, "POWER7+", Level206Plus},
	{0x004b, "POWER8E", Level207},
	{0x004c, "POWER8NVL", Level207},
	{0x004d, "POWER8", Level207},
	{0x004e, "POWER9", Level30},
	{0x0080, "POWER10", Level31},
	{0x0082, "Power11", Level31P11},
}

// ProcessorOf finds the processor that a PVR names.
func ProcessorOf(pvr uint32) (*Processor, bool) {
	for i := range Processors {
		if Processors[i].Version == uint16(pvr>>16) {
			return &Processors[i], true
		}
	}
	return nil, false
}

package power

// Characteristics is what KVM_PPC_GET_CPU_CHAR answers: what firmware or the
// kernel says of the CPU's part in defending against speculative execution.
// Only bits that are set in a mask are known.
type Characteristics struct {
	Character, Behaviour         uint64
	CharacterMask, BehaviourMask uint64
}

// Sense is what a bit of the characteristics says to a guest, and so which of
// its values is safe where hosts differ.
type Sense uint8

const (
	// Offers: set where the CPU has something to defend with. A guest that is
	// told of it must have it on every host.
	Offers Sense = iota
	// Asks: set where a guest has to defend itself. It must be asked wherever one
	// host needs it.
	Asks
)

// Word is one of the two words of the characteristics.
type Word uint8

const (
	Character Word = iota
	Behaviour
)

var wordNames = [...]string{"character", "behaviour"}

// String gives the name of the word in struct kvm_ppc_cpu_char.
func (w Word) String() string { return wordNames[w] }

// Characteristic is one bit of the characteristics.
type Characteristic struct {
	Word Word
	Bit  uint8
	// Name is the kernel's, without KVM_PPC_CPU_CHAR_ or KVM_PPC_CPU_BEHAV_.
	Name  string
	Sense Sense
	About string
}

// CharacteristicTable lists every bit that Linux names, the highest first in
// each word (Linux uapi, arch/powerpc/include/uapi/asm/kvm.h, the same from
// 5.1 to 7.2; PAPR, H_GET_CPU_CHARACTERISTICS).
var CharacteristicTable = []Characteristic{
	{Character, 63, "SPEC_BAR_ORI31", Offers, "ori 31,31,0 is a barrier to speculation"},
	{Character, 62, "BCCTRL_SERIALISED", Offers, "bcctr does not speculate"},
	{Character, 61, "L1D_FLUSH_ORI30", Offers, "ori 30,30,0 flushes the L1 data cache"},
	{Character, 60, "L1D_FLUSH_TRIG2", Offers, "writing TRIG2 flushes the L1 data cache"},
	{Character, 59, "L1D_THREAD_PRIV", Offers, "the L1 data cache is not shared between threads"},
	{Character, 58, "BR_HINT_HONOURED", Offers, "hints of branches are obeyed"},
	{Character, 57, "MTTRIG_THR_RECONF", Offers, "writing TRIG2 reconfigures threads"},
	{Character, 56, "COUNT_CACHE_DIS", Offers, "the count cache is off"},
	{Character, 54, "BCCTR_FLUSH_ASSIST", Offers, "one bcctr flushes the count cache"},
	{Behaviour, 63, "FAVOUR_SECURITY", Asks, "the guest should prefer security to speed"},
	{Behaviour, 62, "L1D_FLUSH_PR", Asks, "the L1 data cache is to be flushed where privilege changes"},
	{Behaviour, 61, "BNDS_CHK_SPEC_BAR", Asks, "bounds checks need a barrier to speculation"},
	{Behaviour, 58, "FLUSH_COUNT_CACHE", Asks, "the count cache is to be flushed at context switches"},
}

// Mask returns the bit.
func (c *Characteristic) Mask() uint64 { return 1 << c.Bit }

// CharacteristicNamed finds a bit by its name.
func CharacteristicNamed(name string) (*Characteristic, bool) {
	for i := range CharacteristicTable {
		if CharacteristicTable[i].Name == name {
			return &CharacteristicTable[i], true
		}
	}
	return nil, false
}

// Words returns a word and its mask.
func (c *Characteristics) Words(w Word) (value, mask uint64) {
	if w == Behaviour {
		return c.Behaviour, c.BehaviourMask
	}
	return c.Character, c.CharacterMask
}

// Get returns a bit, and whether it is known.
func (c *Characteristics) Get(row *Characteristic) (set, known bool) {
	value, mask := c.Words(row.Word)
	return value&mask&row.Mask() != 0, mask&row.Mask() != 0
}

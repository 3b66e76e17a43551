package probe

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guise-project/guise/internal/testenv"
)

// bareMetal runs an image without KVM, on QEMU's virt machine: the guest's
// letter at the doorbell comes out of the machine's UART, then its memory is
// read through QMP. It returns the memory from the image's base on, and the
// letter.
func bareMetal(t testing.TB, image *Image, machine, cpu string) (memory []byte, letter byte) {
	t.Helper()
	qemu := testenv.Tool(t, "qemu-system-arm", "qemu-system-aarch64")
	// Not t.TempDir: the path of a socket is at most 107 bytes long.
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file, control := filepath.Join(dir, "image"), filepath.Join(dir, "qmp")
	if err := os.WriteFile(file, image.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"-device", fmt.Sprintf("loader,addr=%#x,cpu-num=0", image.Entry)}
	if image.State == AArch32 && !strings.HasPrefix(cpu, armv7) {
		stub := filepath.Join(dir, "stub")
		if err := os.WriteFile(stub, toAArch32(image.Entry), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = []string{"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", stub, stubBase),
			"-device", fmt.Sprintf("loader,addr=%#x,cpu-num=0", stubBase)}
	}
	cmd := exec.Command(qemu, append([]string{"-M", "virt,gic-version=3" + machine, "-cpu", cpu, "-m", "64", "-display", "none", "-nodefaults",
		"-accel", "tcg,thread=single", "-serial", "stdio",
		"-qmp", "unix:" + control + ",server=on,wait=off",
		"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", file, image.Base)}, arguments...)...)
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	uart, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A guest that hangs must not hang the tests.
	limit := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer func() {
		limit.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(uart, first); err != nil {
		t.Fatalf("the guest never came to the doorbell: %v\n%s", err, stderr)
	}
	dump := filepath.Join(dir, "memory")
	qmp(t, control, "pmemsave", map[string]any{"val": image.Base, "size": image.MemorySize, "filename": dump})
	memory, err = os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	return memory, first[0]
}

// qmp makes one call on QEMU's control socket.
func qmp(t testing.TB, socket, command string, arguments map[string]any) {
	t.Helper()
	connection, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	lines := bufio.NewScanner(connection)
	lines.Scan() // the greeting
	for _, call := range []map[string]any{
		{"execute": "qmp_capabilities"},
		{"execute": command, "arguments": arguments},
	} {
		if err := json.NewEncoder(connection).Encode(call); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() && !strings.Contains(lines.Text(), `"return"`) {
			if strings.Contains(lines.Text(), `"error"`) {
				t.Fatalf("QMP %v: %s", call, lines.Text())
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// runBareMetal builds the program, runs it and returns its trace.
func runBareMetal(t testing.TB, p *Program, machine, cpu string) *Trace {
	t.Helper()
	return runBareMetalIn(t, AArch64, p, machine, cpu)
}

// runBareMetalIn is runBareMetal for either execution state.
func runBareMetalIn(t testing.TB, state State, p *Program, machine, cpu string) *Trace {
	t.Helper()
	image, err := p.Build(Layout{State: state})
	if err != nil {
		t.Fatal(err)
	}
	memory, letter := bareMetal(t, image, machine, cpu)
	r, err := image.NewRun(memory)
	if err != nil {
		t.Fatal(err)
	}
	bell := binary.LittleEndian.AppendUint64(nil, uint64(letter))[:image.set.storeSize()]
	if done, err := r.Store(Doorbell, bell); err != nil || !done {
		t.Fatalf("doorbell: %v, %v", done, err)
	}
	trace, err := r.Trace()
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// armv7 is the CPU that starts in AArch32 by itself.
const armv7 = "cortex-a15"

// stubBase lies below every image, beyond QEMU's device tree.
const stubBase = 0x4010_0000

// toAArch32 is what an EL2 does to start an EL1 in AArch32, as KVM does for such
// a vCPU: HCR_EL2.RW clear, Supervisor mode with everything masked. An HVC is
// UNDEFINED.
func toAArch32(entry uint64) []byte {
	const hcd = 1 << 29
	c := newCode(stubBase)
	c.set(regHCR, hcd)
	c.set(regCPTR, cptrNoTraps)
	c.set(regHSTR, 0)
	c.set(regMDCR, 0)
	c.set(regCNTHCTL, 3)
	c.add(mrs(1, regMIDR), msr(regVPIDR, 1), mrs(1, regMPIDR), msr(regVMPIDR, 1))
	c.set(regICCSREEL2, 0xf)
	c.set(regSPSREL2, cpsrMasked)
	c.set(regELREL2, entry)
	c.add(wordISB, wordERET)
	var image []byte
	for _, word := range c.words {
		image = binary.LittleEndian.AppendUint32(image, word)
	}
	return image
}

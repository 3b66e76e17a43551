package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/guise-project/guise/internal/atomicfile"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/lab/channel"
	"github.com/guise-project/guise/lab/guest"
)

const (
	defaultLimit     = 2 * time.Minute
	defaultDirectory = "/job"
	// programPath is where a job's own program is put in the guest.
	programPath = "/tmp/program"
	// maxRelease is in bytes: what struct utsname has room for.
	maxRelease = 64
	// seedSize is in bytes: what the kernel's generator holds.
	seedSize = 64
)

// channelModules are what the channel needs where the kernel does not have it
// built in: 5.10 and 6.1 of Debian have neither.
var channelModules = []string{"virtio_pci", "virtio_console"}

// Run starts a host, gives it a job and returns what came of it. A job that
// exits with a status other than 0 is a Result, not an error. The error is a
// *HostError where the machine failed, a *MissingError where this one lacks
// something. When Run returns nothing of the host is left. Run is safe for
// concurrent use.
func Run(ctx context.Context, h Host, job Job) (Result, error) {
	m, err := prepare(ctx, h)
	if err != nil {
		return Result{}, err
	}
	return m.run(ctx, job)
}

// machine is a host with everything it is started from.
type machine struct {
	host         Host
	qemu         emulator
	kernelDigest string
	// args make the machine, bootArgs boot it.
	args, bootArgs []string
	snapshots      bool
	// giveUp ends what the machine is doing, as the host hangs.
	giveUp func()
	// restored: what runs came from a snapshot.
	restored bool
}

// prepare finds or makes what a host is started from.
func prepare(ctx context.Context, h Host) (*machine, error) {
	h, a, err := h.withDefaults()
	if err != nil {
		return nil, err
	}
	qemu, err := findQEMU(ctx, a)
	if err != nil {
		return nil, err
	}
	kernel, err := findKernel(h.Kernel, a)
	if err != nil {
		return nil, err
	}
	tree, err := openModuleTree(kernel.modules, kernel.moduleDigests)
	if err != nil {
		return nil, err
	}
	// A kernel given by its path may have the channel built in and no modules.
	modules, err := tree.resolve(ctx, channelModules, true)
	if err != nil {
		return nil, err
	}
	own, err := tree.resolve(ctx, h.Modules, false)
	if err != nil {
		return nil, err
	}
	for _, m := range own {
		if !slices.ContainsFunc(modules, func(have module) bool { return have.name == m.name }) {
			modules = append(modules, m)
		}
	}
	binary, err := guestBinary(ctx, h.Arch, h.Checkout)
	if err != nil {
		return nil, err
	}
	init, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	initrd, err := storeInitramfs(init, modules)
	if err != nil {
		return nil, err
	}
	return &machine{
		host: h, qemu: qemu, kernelDigest: kernel.digest,
		args: machineArguments(h, a), bootArgs: bootArguments(h, a, kernel.path, initrd),
		snapshots: a.snapshots,
	}, nil
}

// storeInitramfs keeps an initramfs under the digest of its contents.
func storeInitramfs(init []byte, modules []module) (string, error) {
	archive, err := initramfs(init, modules)
	if err != nil {
		return "", err
	}
	cache, err := CacheDirectory()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(archive)
	return storeFile(filepath.Join(cache, "initramfs"), hex.EncodeToString(sum[:])[:32]+".cpio", archive)
}

// storeFile writes a file that is named by its content, unless it is there and
// whole.
func storeFile(directory, name string, content []byte) (string, error) {
	path := filepath.Join(directory, name)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
		return path, nil
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	return path, atomicfile.Write(path, content, 0o644)
}

// run starts the machine, has it do the job and ends it.
func (m *machine) run(ctx context.Context, job Job) (Result, error) {
	files, err := jobFiles(job)
	if err != nil {
		return Result{}, err
	}
	begin := time.Now()
	told := new(signs)
	for _, stream := range []*io.Writer{&job.Stdout, &job.Stderr} {
		if *stream != nil {
			*stream = told.out(*stream)
		}
	}
	result, err := m.attempt(ctx, job, files)
	if m.hungRestored(err) && ctx.Err() == nil && told.count.Load() == 0 {
		if err = m.forgetSnapshot(); err == nil {
			m.host.Fresh = true
			result, err = m.attempt(ctx, job, files)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("lab host %s: %w", m.host.Name(), context.Cause(ctx))
		}
		return Result{}, err
	}
	result.QEMU = m.qemu.version
	result.Elapsed = time.Since(begin)
	return result, nil
}

// attempt starts the machine and has it do the job, until it is given up.
func (m *machine) attempt(ctx context.Context, job Job, files []File) (Result, error) {
	patient, cancel := context.WithCancel(ctx)
	defer cancel()
	m.giveUp = cancel
	return m.startAndDo(patient, job, files)
}

// hungRestored reports whether the job was given to a restored machine that then hung:
// some do, rarely and not again (7.2 on neoverse-n1 under QEMU 10.0.2). Nothing came of the
// job that anyone saw, so a machine that is booted can do it.
func (m *machine) hungRestored(err error) bool {
	var failed *HostError
	return m.restored && errors.As(err, &failed) && errors.Is(failed.Reason, ErrHang)
}

func (m *machine) startAndDo(ctx context.Context, job Job, files []File) (Result, error) {
	l, err := m.start(ctx)
	if err != nil {
		return Result{}, err
	}
	defer l.kill()
	m.restored = l.restored
	if err := m.give(l.channel, job, files); err != nil {
		return Result{}, m.diagnose(ctx, l, err)
	}
	stopWatching, err := l.watch(ctx, job)
	if err != nil {
		return Result{}, m.diagnose(ctx, l, err)
	}
	result, err := collect(l.signs.in(l.channel), &job)
	stopWatching()
	if err != nil {
		return Result{}, m.diagnose(ctx, l, err)
	}
	result.Release, result.Restored = l.hello.Release, l.restored
	return result, nil
}

// diagnose says why a conversation with a machine broke off. It ends
// the machine.
func (m *machine) diagnose(ctx context.Context, l *live, err error) error {
	failure := &HostError{Host: m.host.Name(), Reason: ErrChannel, Detail: err.Error()}
	var typed *HostError
	switch {
	case errors.As(err, &typed):
		failure.Reason, failure.Detail = typed.Reason, typed.Detail
	case ctx.Err() != nil:
		failure.Reason = causeOfDeath(l.output.String(), ErrHang)
		failure.Detail = fmt.Sprintf("%s without a sign of life", m.host.Limit)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) || isBroken(err):
		// The socket closed: QEMU is ending, and its last words count.
		<-l.ended
		failure.Reason = causeOfDeath(l.output.String(), ErrStopped)
		failure.Detail = ""
		if failure.Reason == ErrStopped && l.err != nil {
			failure.Detail = l.err.Error()
		}
	}
	l.kill()
	failure.Console = tail(l.output.String())
	return failure
}

// greet waits until the init is ready.
func greet(stream io.Reader) (channel.Hello, error) {
	var hello channel.Hello
	frame, err := channel.Read(stream)
	if err != nil {
		return hello, err
	}
	if frame.Kind == channel.KindEnd {
		var end channel.End
		err := channel.Decode(frame, channel.KindEnd, &end)
		return hello, errors.Join(errors.New(end.Error), err)
	}
	if err := channel.Decode(frame, channel.KindHello, &hello); err != nil {
		return hello, err
	}
	if len(hello.Release) > maxRelease || plain.Odd(hello.Release) {
		return hello, fmt.Errorf("the host calls its kernel %.80q, which is no release", hello.Release)
	}
	if hello.Version != channel.Version {
		return hello, fmt.Errorf("the guise in the host speaks version %d of the channel, this one %d", hello.Version, channel.Version)
	}
	return hello, nil
}

// wake gives a machine random bytes of its own and waits until it runs.
func wake(stream io.ReadWriter) error {
	random := make([]byte, seedSize)
	rand.Read(random)
	if err := channel.NewWriter(stream).Write(channel.KindSeed, random); err != nil {
		return err
	}
	frame, err := channel.Read(stream)
	if err != nil {
		return err
	}
	switch frame.Kind {
	case channel.KindReady:
		return nil
	case channel.KindEnd:
		var end channel.End
		err := channel.Decode(frame, channel.KindEnd, &end)
		return errors.Join(errors.New(end.Error), err)
	}
	return fmt.Errorf("a frame of kind %d where the machine was to be ready", frame.Kind)
}

// give sends the job with its files.
func (m *machine) give(stream io.Writer, job Job, files []File) error {
	w := channel.NewWriter(stream)
	message := channel.Job{
		Args: job.Args, Directory: job.Directory, Outputs: job.Outputs,
		Time: time.Now().UnixNano(),
		Env:  append([]string{guest.HostVariable + "=" + m.describe()}, job.Env...),
	}
	if message.Directory == "" {
		message.Directory = defaultDirectory
	}
	if job.Program != "" {
		message.Program = programPath
	}
	if err := channel.Send(w, channel.KindJob, message); err != nil {
		return err
	}
	for _, file := range files {
		header := channel.FileHeader{Path: file.Path, Mode: file.Mode}
		if !path.IsAbs(file.Path) {
			header.Path = path.Join(message.Directory, file.Path)
		}
		if header.Mode == 0 {
			header.Mode = 0o644
		}
		if err := channel.SendFile(w, header, bytes.NewReader(file.Content)); err != nil {
			return err
		}
	}
	return w.Write(channel.KindStart, nil)
}

// describe says which lab host this is, for documents made in it.
func (m *machine) describe() string {
	return fmt.Sprintf("QEMU %s, %s", m.qemu.version, strings.TrimSpace(m.host.Machine+" "+m.host.CPU))
}

// jobFiles is what goes into the guest before the job: its files and, where it
// has one, its program.
func jobFiles(job Job) ([]File, error) {
	if job.Program == "" {
		return job.Files, nil
	}
	content, err := os.ReadFile(job.Program)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(job.Files), File{Path: programPath, Mode: 0o755, Content: content}), nil
}

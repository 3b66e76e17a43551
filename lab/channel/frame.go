// Package channel is the line between a lab host's init and the program that
// started QEMU: frames of typed data with a checksum, over one byte stream of
// their own. Nothing is ever read from a console.
//
// A frame is a header of 16 bytes, big-endian, then its payload:
//
//	0   4 bytes  magic "gls1"
//	4   1 byte   kind
//	5   3 bytes  zero
//	8   4 bytes  length of the payload, at most MaxPayload
//	12  4 bytes  CRC-32C of bytes 0 to 11 and the payload
package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// Kind says what a frame carries.
type Kind uint8

// The kinds, with who sends them and what the payload is.
const (
	KindHello    Kind = 1 + iota // guest: a Hello: the init is ready for a job
	KindSeed                     // host: random bytes for the guest's generator; first after KindHello
	KindReady                    // guest: nothing: the machine is seeded and its timers run
	KindJob                      // host: a Job
	KindFile                     // both: a FileHeader; its content follows as KindFileData
	KindFileData                 // both: the next bytes of the file last named
	KindStart                    // host: nothing: the job is complete, run it
	KindStdout                   // guest: bytes the job wrote to its standard output
	KindStderr                   // guest: bytes the job wrote to its standard error
	KindEnd                      // guest: an End: the job is over, nothing follows
)

// MaxPayload is the longest payload of a frame, in bytes.
const MaxPayload = 256 << 10

const headerSize = 16

var (
	magic      = [4]byte{'g', 'l', 's', '1'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// ErrCorrupt is wrapped by every error about bytes that are not a frame.
var ErrCorrupt = errors.New("lab channel: not a frame")

// Frame is one message.
type Frame struct {
	Kind    Kind
	Payload []byte
}

// Writer sends frames. It is safe for concurrent use.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter returns a Writer on a byte stream.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends one frame, whole: frames of concurrent callers never mix.
func (w *Writer) Write(kind Kind, payload []byte) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("lab channel: a payload has %d bytes, the most is %d", len(payload), MaxPayload)
	}
	frame := make([]byte, headerSize, headerSize+len(payload))
	copy(frame, magic[:])
	frame[4] = byte(kind)
	binary.BigEndian.PutUint32(frame[8:], uint32(len(payload)))
	sum := crc32.Update(crc32.Checksum(frame[:12], castagnoli), castagnoli, payload)
	binary.BigEndian.PutUint32(frame[12:], sum)
	frame = append(frame, payload...)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(frame)
	return err
}

// Read reads one frame. At the end of the stream it returns io.EOF, inside a
// frame io.ErrUnexpectedEOF; bytes that are no frame wrap ErrCorrupt. After an
// error the stream is of no further use.
func Read(r io.Reader) (Frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return Frame{}, err
	}
	if [4]byte(header[:4]) != magic || header[5]|header[6]|header[7] != 0 {
		return Frame{}, fmt.Errorf("%w: it starts with % x", ErrCorrupt, header[:8])
	}
	length := binary.BigEndian.Uint32(header[8:])
	if length > MaxPayload {
		return Frame{}, fmt.Errorf("%w: its length is %d, the most is %d", ErrCorrupt, length, MaxPayload)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	sum := crc32.Update(crc32.Checksum(header[:12], castagnoli), castagnoli, payload)
	if want := binary.BigEndian.Uint32(header[12:]); sum != want {
		return Frame{}, fmt.Errorf("%w: its checksum is %#08x, the bytes give %#08x", ErrCorrupt, want, sum)
	}
	return Frame{Kind: Kind(header[4]), Payload: payload}, nil
}

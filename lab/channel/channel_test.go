package channel

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestFramesSurviveTheTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		w := NewWriter(&stream)
		var sent []Frame
		for range rapid.IntRange(0, 5).Draw(t, "frames") {
			f := Frame{
				Kind:    Kind(rapid.Byte().Draw(t, "kind")),
				Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
			}
			sent = append(sent, f)
			if err := w.Write(f.Kind, f.Payload); err != nil {
				t.Fatal(err)
			}
		}
		// A port gives what has arrived, however little.
		r := iotest.OneByteReader(&stream)
		for _, want := range sent {
			got, err := Read(r)
			if err != nil || got.Kind != want.Kind || !bytes.Equal(got.Payload, want.Payload) {
				t.Fatalf("got %v, %v; want %v", got, err, want)
			}
		}
		if _, err := Read(r); err != io.EOF {
			t.Fatalf("after the last frame: %v", err)
		}
	})
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	var stream bytes.Buffer
	if err := NewWriter(&stream).Write(KindStdout, []byte("some output")); err != nil {
		t.Fatal(err)
	}
	whole := stream.Bytes()
	for bit := range len(whole) * 8 {
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		if f, err := Read(bytes.NewReader(damaged)); err == nil {
			t.Errorf("bit %d flipped: read as %v", bit, f)
		}
	}
	for n := 1; n < len(whole); n++ {
		if _, err := Read(bytes.NewReader(whole[:n])); err != io.ErrUnexpectedEOF {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestWriteRefusesTooMuch(t *testing.T) {
	if err := NewWriter(io.Discard).Write(KindStdout, make([]byte, MaxPayload+1)); err == nil {
		t.Error("a payload above the limit was sent")
	}
}

func TestFilesAreSplit(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), MaxPayload/8)
	var stream bytes.Buffer
	if err := SendFile(NewWriter(&stream), FileHeader{Path: "x", Mode: 0o640}, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	first, err := Read(&stream)
	if err != nil {
		t.Fatal(err)
	}
	var header FileHeader
	if err := Decode(first, KindFile, &header); err != nil || header != (FileHeader{Path: "x", Mode: 0o640}) {
		t.Fatalf("%v, %v", header, err)
	}
	var got []byte
	for {
		f, err := Read(&stream)
		if err == io.EOF {
			break
		}
		if err != nil || f.Kind != KindFileData {
			t.Fatalf("%v, %v", f.Kind, err)
		}
		got = append(got, f.Payload...)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes came, %d were sent", len(got), len(content))
	}
}

func TestDecodeNamesWhatWasExpected(t *testing.T) {
	var end End
	err := Decode(Frame{Kind: KindHello}, KindEnd, &end)
	if err == nil || !strings.Contains(err.Error(), "kind 1 where kind 10") {
		t.Error(err)
	}
	if err := Decode(Frame{Kind: KindEnd, Payload: []byte(`{"status":1,"status":2}`)}, KindEnd, &end); err == nil {
		t.Error("a message with a duplicate key was taken")
	}
}

func FuzzRead(f *testing.F) {
	var stream bytes.Buffer
	w := NewWriter(&stream)
	for _, payload := range []string{"", "x", `{"version":1}`} {
		if err := w.Write(KindHello, []byte(payload)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(stream.Bytes())
	f.Add([]byte("gls1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := Read(bytes.NewReader(data))
		if err != nil {
			if frame.Kind != 0 || frame.Payload != nil {
				t.Fatalf("both a frame and an error: %v, %v", frame, err)
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		var again bytes.Buffer
		if err := NewWriter(&again).Write(frame.Kind, frame.Payload); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, again.Bytes()) {
			t.Fatal("a frame that was read is written differently")
		}
	})
}

package guise

import "fmt"

// MaxDocumentSize is the largest document of any kind that is read, in bytes:
// room for a fleet of some ten thousand hosts that are all different.
const MaxDocumentSize = 256 << 20

// KindFingerprint is what documents of Firecracker's cpu-template-helper are
// called, which name no schema.
const KindFingerprint = "Firecracker fingerprint"

// maxSizes is the largest document of each kind, in bytes. What people have is
// far below: the largest capture of the catalogue has 0.4 MiB, a contract 20 KiB,
// a proof 0.3 MiB, a fleet 20 to 400 KiB for each distinct view.
var maxSizes = map[string]int{
	SchemaCapture:        16 << 20,
	SchemaContract:       4 << 20,
	SchemaProof:          16 << 20,
	SchemaFleet:          MaxDocumentSize,
	"guise/questions/v1": 16 << 20,
	"guise/answers/v1":   16 << 20,
	"guise/vmstate/v1":   16 << 20,
	"guise/arrival/v1":   16 << 20,
	KindFingerprint:      4 << 20,
}

// MaxSizeOf returns the largest document of a schema that is read, in bytes, 0
// for a schema that is not known.
func MaxSizeOf(schema string) int { return maxSizes[schema] }

// CheckSize refuses a document that is larger than any of its kind. The error is
// a *DocumentError that calls the document by its file's name.
func CheckSize(file string, data []byte, kind string) error {
	most := MaxSizeOf(kind)
	if len(data) <= most {
		return nil
	}
	message := fmt.Sprintf("has %d bytes; no %s is longer than %d", len(data), kind, most)
	if there := SchemaOf(data); there != "" && there != kind {
		message = fmt.Sprintf("schema: want %s, there is %s", kind, there)
	}
	return &DocumentError{File: file, Message: message}
}

// roomFor is how many bytes of memory a document of so many bytes may take when
// it is read. What captures take is at most twice their own length; what is
// written to take more ends here.
func roomFor(size int) int { return max(128<<20, size/2*5) }

// What parts of a document are reckoned to take of memory, in bytes, with what is
// left behind when lists grow.
const (
	roomOfSetup   = 1100 // CapturedSetup, and its part of the digest
	roomOfOffers  = 1700
	roomOfPower   = 2000 // of a POWER host, with its maps
	roomOfExtra   = 64   // for each register that the table does not know
	roomOfHost    = 800
	roomOfView    = 600
	roomOfCPU     = 400
	roomOfName    = 200 // an entry of a map, with its name
	roomOfOrigin  = 240
	roomOfFinding = 800
	roomOfValue   = 240 // of a host, in a finding
)

// spend takes a part's room from what the document may have.
func (s *scanner) spend(bytes int) {
	if s.room -= bytes; s.room < 0 {
		s.fail("the document would take more memory than %d bytes of it are worth; want fewer parts in one document", len(s.data))
	}
}

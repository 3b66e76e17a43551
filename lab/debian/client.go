package debian

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/guise-project/guise/internal/progress"
)

// keyring holds Debian's archive keys (package debian-archive-keyring); tests have
// another.
var keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// suites are where kernels are looked for. A suite that a mirror no longer
// has, or not for the architecture, is passed over with a complaint.
var suites = []struct {
	name     string
	security bool
}{
	{"bullseye", false},
	{"bullseye-security", true},
	{"bookworm", false},
	{"bookworm-security", true},
	{"bookworm-backports", false},
	{"trixie", false},
	{"trixie-security", true},
	{"trixie-backports", false},
	{"forky", false},
	{"sid", false},
}

// Mirrors are the addresses of Debian's archive and of its security archive.
type Mirrors struct {
	Archive, Security string
}

// SystemMirrors takes the addresses from the package sources of this system. What
// it has to keep meanwhile is in the given directory.
func SystemMirrors(ctx context.Context, directory string) (Mirrors, error) {
	const format = "$(REPO_URI) $(LABEL)"
	out, err := runTool(ctx, nil, "apt-get", "indextargets", "--format", format)
	if err != nil {
		return Mirrors{}, err
	}
	m := parseTargets(out)
	if m.Archive == "" {
		// A system whose lists were deleted, as images of containers are, knows
		// the addresses but not whose they are: read the lists, elsewhere.
		lists, err := os.MkdirTemp(directory, unfinished+"lists-")
		if err != nil {
			return Mirrors{}, err
		}
		defer os.RemoveAll(lists)
		// Some other source may fail to answer; Debian's is looked for in what
		// did.
		_, updateErr := runTool(ctx, nil, "apt-get", "-o", "Dir::State::Lists="+lists, "update")
		out, err := runTool(ctx, nil, "apt-get", "-o", "Dir::State::Lists="+lists, "indextargets", "--format", format)
		if err != nil {
			return Mirrors{}, errors.Join(updateErr, err)
		}
		if m = parseTargets(out); m.Archive == "" {
			return Mirrors{}, errors.Join(errors.New("the package sources of this system name no mirror of Debian"), updateErr)
		}
	}
	if m.Security == "" {
		m.Security = strings.TrimSuffix(m.Archive, "/") + "-security"
	}
	return m, nil
}

// parseTargets reads lines of an address and a release's label.
func parseTargets(text string) Mirrors {
	var m Mirrors
	for line := range strings.Lines(text) {
		address, label, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch label {
		case "Debian":
			m.Archive = cmp.Or(m.Archive, address)
		case "Debian-Security":
			m.Security = cmp.Or(m.Security, address)
		}
	}
	return m
}

// client is a package client with everything it reads and writes in one
// directory.
type client struct {
	directory, arch string
}

// newClient lays out the directory of a client.
func newClient(directory, arch string, mirrors Mirrors) (*client, error) {
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("%s: signatures cannot be checked without it; install debian-archive-keyring: %w", keyring, err)
	}
	c := &client{directory, arch}
	for _, d := range []string{"sources", "lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(directory, d), 0o755); err != nil {
			return nil, err
		}
	}
	for name, content := range map[string]string{
		"status":                "",
		"sources/guise.sources": sourcesText(mirrors),
		"apt.conf":              c.configuration(),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sourcesText is the client's list of sources (sources.list(5), deb822 style).
func sourcesText(mirrors Mirrors) string {
	var text strings.Builder
	for _, security := range []bool{false, true} {
		address := mirrors.Archive
		if security {
			address = mirrors.Security
		}
		var names []string
		for _, s := range suites {
			if s.security == security {
				names = append(names, s.name)
			}
		}
		fmt.Fprintf(&text, "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nTargets: Packages\nSigned-By: %s\n\n",
			address, strings.Join(names, " "), keyring)
	}
	return text.String()
}

// configuration is read after the system's, so that the system's proxies hold;
// its hooks must not run, they look after directories that are not ours.
func (c *client) configuration() string {
	return fmt.Sprintf(`#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "%[2]s";
APT::Architectures { "%[2]s"; };
APT::Default-Release "";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::AllowInsecureRepositories "false";
# Lists of suites that no longer change, and of mirrors that lag, are out of
# date; their signatures are checked all the same.
Acquire::Check-Valid-Until "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
Dir::State "%[1]s";
Dir::State::Lists "%[1]s/lists";
Dir::State::Status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "%[1]s/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
`, c.directory, c.arch)
}

func (c *client) run(ctx context.Context, directory, tool string, arguments ...string) (string, error) {
	arguments = append([]string{"-c", filepath.Join(c.directory, "apt.conf")}, arguments...)
	return runTool(ctx, func(command *exec.Cmd) { command.Dir = directory }, tool, arguments...)
}

// update reads the lists anew.
func (c *client) update(ctx context.Context) error {
	_, err := c.run(ctx, "", "apt-get", "update")
	return err
}

// candidate is a package that may hold the kernel that is wanted.
type candidate struct {
	name, version, suite string
}

// upstream is the upstream part of the version: 6.12.117 of 6.12.117-1~bpo12+1.
func (c candidate) upstream() string {
	v, _, _ := strings.Cut(c.version, "-")
	return v
}

// candidates lists the kernel packages that match a version, the newest first.
// From 7.2 on the image is in linux-binary-*, and linux-image-* only names it.
func (c *client) candidates(ctx context.Context, flavour, version string) ([]candidate, error) {
	var names []string
	for _, prefix := range []string{"linux-binary-", "linux-image-"} {
		out, err := c.run(ctx, "", "apt-cache", "pkgnames", prefix)
		if err != nil {
			return nil, err
		}
		names = append(names, kernelNames(strings.Fields(out), flavour, version)...)
	}
	if len(names) == 0 {
		return nil, nil
	}
	out, err := c.run(ctx, "", "apt-cache", append([]string{"madison"}, names...)...)
	if err != nil {
		return nil, err
	}
	found := preferBinary(parseMadison(out))
	found = slices.DeleteFunc(found, func(p candidate) bool { return !Matches(p.upstream(), version) })
	var compareErr error
	slices.SortStableFunc(found, func(a, b candidate) int {
		order, err := compareDebianVersions(ctx, b.version, a.version)
		compareErr = errors.Join(compareErr, err)
		return order
	})
	return found, compareErr
}

// kernelNames picks the names of standard kernels: not the flavours (cloud, rt,
// 16k), not the unsigned and debug packages, not the names that only depend on
// the newest. The release in a name starts with the version, save for Debian's
// old scheme, which leaves out the last number (6.1.0-50).
func kernelNames(names []string, flavour, version string) []string {
	numbers, _ := ParseVersion(version)
	if len(numbers) < 2 {
		return nil
	}
	pattern := regexp.MustCompile(fmt.Sprintf(`^linux-(binary|image)-%d\.%d\.[0-9][^-]*(-[0-9][^-]*)?-%s$`,
		numbers[0], numbers[1], regexp.QuoteMeta(flavour)))
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !pattern.MatchString(name) })
}

// parseMadison reads lines "name | version | address suite/component ...".
func parseMadison(text string) []candidate {
	var found []candidate
	for line := range strings.Lines(text) {
		columns := strings.Split(line, "|")
		if len(columns) != 3 {
			continue
		}
		where := strings.Fields(columns[2])
		if len(where) < 2 {
			continue
		}
		suite, _, _ := strings.Cut(where[1], "/")
		c := candidate{strings.TrimSpace(columns[0]), strings.TrimSpace(columns[1]), suite}
		if !slices.ContainsFunc(found, func(f candidate) bool { return f.name == c.name && f.version == c.version }) {
			found = append(found, c)
		}
	}
	return found
}

// preferBinary drops linux-image packages where linux-binary of the same
// release is there: those hold no kernel.
func preferBinary(found []candidate) []candidate {
	return slices.DeleteFunc(slices.Clone(found), func(p candidate) bool {
		release, isImage := strings.CutPrefix(p.name, "linux-image-")
		return isImage && slices.ContainsFunc(found, func(q candidate) bool {
			return q.name == "linux-binary-"+release && q.version == p.version
		})
	})
}

// compareDebianVersions asks dpkg, which knows the order (deb-version(7)).
func compareDebianVersions(ctx context.Context, a, b string) (int, error) {
	if a == b {
		return 0, nil
	}
	err := exec.CommandContext(ctx, "dpkg", "--compare-versions", a, "lt", b).Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return -1, nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return 1, nil
	}
	return 0, fmt.Errorf("dpkg --compare-versions %s lt %s: %w", a, b, err)
}

// download fetches one package into a directory and returns its path. The
// client has checked it against the signed lists.
func (c *client) download(ctx context.Context, directory string, p candidate) (string, error) {
	task := progress.Start(ctx, fmt.Sprintf("fetching %s %s from %s", p.name, p.version, p.suite), c.size(ctx, p), progress.Bytes)
	stop := task.Follow(func() int64 { return sizeOf(filepath.Join(directory, p.name+"_*")) })
	_, err := c.run(ctx, directory, "apt-get", "download", p.name+"="+p.version)
	stop()
	if err != nil {
		task.Fail()
		return "", err
	}
	task.Done()
	matches, err := filepath.Glob(filepath.Join(directory, p.name+"_*.deb"))
	if err == nil && len(matches) != 1 {
		err = fmt.Errorf("apt-get download %s=%s: it left %d files: %w", p.name, p.version, len(matches), fs.ErrNotExist)
	}
	if err != nil {
		return "", err
	}
	return matches[0], nil
}

// size is how many bytes the lists say a package has, 0 where they do not.
func (c *client) size(ctx context.Context, p candidate) int64 {
	record, err := c.run(ctx, "", "apt-cache", "show", "--no-all-versions", p.name+"="+p.version)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(record) {
		if text, found := strings.CutPrefix(line, "Size: "); found {
			size, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return size
		}
	}
	return 0
}

// sizeOf is how many bytes the files of a pattern have.
func sizeOf(pattern string) int64 {
	var size int64
	paths, _ := filepath.Glob(pattern)
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	return size
}

// runTool runs a program in the C locale and returns its output; an error holds
// what it complained of.
func runTool(ctx context.Context, prepare func(*exec.Cmd), name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	if prepare != nil {
		prepare(command)
	}
	out, err := output(command)
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%s: the lab fetches kernels with Debian's package client, which is not here; use a kernel image of your own with --kernel PATH", name)
		}
		return "", fmt.Errorf("%s: %w: %s", name, err, complaints(complaint.String()))
	}
	return string(out), nil
}

// complaints keeps the errors of what a client printed, or all of it.
func complaints(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if message, found := strings.CutPrefix(line, "E: "); found {
			kept = append(kept, strings.TrimSpace(message))
		}
	}
	if kept == nil {
		return strings.TrimSpace(text)
	}
	return strings.Join(kept, "; ")
}

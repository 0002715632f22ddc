// Verify a log's folder of a bundle with code that is not ours: Go's sumdb note and tlog packages.
//
//	go run verify.go FOLDER PUBLIC
//
// FOLDER holds what C2SP tlog-tiles calls a log; PUBLIC is its public key. Prints the size and the
// number of older checkpoints that the newest is consistent with.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	folder, public := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(public)
	check(err)
	tree := checkpoint(filepath.Join(folder, "checkpoint"), verifier)
	hashes := tlog.TileHashReader(tree, tiles(folder))
	root, err := tlog.TreeHash(tree.N, hashes)
	check(err)
	if root != tree.Hash {
		check(fmt.Errorf("the tiles lead to another root than was signed"))
	}
	for i, leaf := range leaves(folder, tree.N) {
		proof, err := tlog.ProveRecord(tree.N, int64(i), hashes)
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(leaf)))
	}
	older, err := filepath.Glob(filepath.Join(folder, "checkpoints", "*"))
	check(err)
	for _, path := range older {
		old := checkpoint(path, verifier)
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	}
	fmt.Println(tree.N, len(older))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func checkpoint(path string, verifier note.Verifier) tlog.Tree {
	raw, err := os.ReadFile(path)
	check(err)
	signed, err := note.Open(raw, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(signed.Text, "\n")
	if lines[0] != verifier.Name() {
		check(fmt.Errorf("%s is of another origin", path))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

func leaves(folder string, size int64) (found [][]byte) {
	for n := int64(0); n<<height < size; n++ {
		tile := tlog.Tile{H: height, L: 0, N: n, W: 1 << height}
		if rest := size - n<<height; rest < 1<<height {
			tile.W = int(rest)
		}
		raw, err := os.ReadFile(path(folder, tile, "entries"))
		check(err)
		for len(raw) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(raw))
			found = append(found, raw[2:end])
			raw = raw[end:]
		}
	}
	if int64(len(found)) != size {
		check(fmt.Errorf("%d entries where there should be %d", len(found), size))
	}
	return found
}

// path writes a tile's path as C2SP does, which leaves out the height that sumdb's begins with.
func path(folder string, tile tlog.Tile, level string) string {
	rest := strings.SplitN(tile.Path(), "/", 4)[3]
	return filepath.Join(folder, "tile", level, rest)
}

type tiles string

func (folder tiles) Height() int { return height }

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		raw, err := os.ReadFile(path(string(folder), tile, strconv.Itoa(tile.L)))
		if err != nil {
			return nil, err
		}
		found[i] = raw
	}
	return found, nil
}

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

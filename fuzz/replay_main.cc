// Runs a fuzz target once over every file it is given, so that what the fuzzers once found stays
// tested by builds without libFuzzer:
//
//   fuzz_decode fuzz/corpus/decode some_other_file
//
// Directories are walked to the bottom. Fails when nothing was there to run, since a corpus that
// went missing would pass as quietly as one that holds.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Optional, as in libFuzzer.
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);

namespace {

namespace fs = std::filesystem;

// Sorted, so that a failing run fails at the same file everywhere.
std::vector<fs::path> FilesUnder(const fs::path& path, std::error_code& error) {
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_regular_file(error)) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool RunFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in),
                                std::istreambuf_iterator<char>()};
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    for (const fs::path& path : FilesUnder(argv[i], error)) {
      if (!RunFile(path)) {
        std::cerr << "replay: can't read " << path << "\n";
        return 1;
      }
      ++count;
    }
    if (error) {
      std::cerr << "replay: " << argv[i] << ": " << error.message() << "\n";
      return 1;
    }
  }
  std::cout << "replayed " << count << " inputs\n";
  return count > 0 ? 0 : 1;
}

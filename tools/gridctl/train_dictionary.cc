// gridctl train-dictionary: makes a dictionary for compression of recorded payloads.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "serialization/train_dictionary.h"
#include "serialization/zstd_codec.h"
#include "tools/common/explain_message.h"
#include "tools/common/node_flags.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

namespace fs = std::filesystem;

// Of all payloads together: what zstd learns from, in memory.
constexpr size_t kMaxInput = size_t{1} << 30;
constexpr size_t kDefaultSize = 16 << 10;

struct TrainFlags {
  std::vector<std::string> paths;
  std::string out;
  size_t size = kDefaultSize;
  uint32_t id = 0;
  uint32_t level = 1;
  bool hex = false;
  bool json = false;
};

absl::Status CantRead(const std::string& path, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("can't read ", path, ": ", why));
}

// The files that a path stands for, by name: the same payloads give the same dictionary.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error)) files.push_back(it->path().string());
  }
  if (error) return CantRead(path, error.message());
  std::sort(files.begin(), files.end());
  return files;
}

// Payloads read so far, and their bytes together.
struct Payloads {
  std::vector<std::string> all;
  size_t bytes = 0;

  absl::Status Add(std::string payload) {
    bytes += payload.size();
    if (bytes > kMaxInput) {
      return absl::InvalidArgumentError(
          absl::StrCat("the payloads have more than ", kMaxInput, " bytes together"));
    }
    if (!payload.empty()) all.push_back(std::move(payload));
    return absl::OkStatus();
  }
};

absl::Status AddHexLines(const std::string& path, std::string_view content, Payloads* payloads) {
  for (size_t line = 1; !content.empty(); ++line) {
    const size_t end = std::min(content.find('\n'), content.size());
    const std::string_view text = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    absl::StatusOr<std::string> payload = ParseHex(text);
    if (!payload.ok()) {
      return absl::DataLossError(
          absl::StrCat(path, " line ", line, ": ", payload.status().message()));
    }
    if (absl::Status added = payloads->Add(*std::move(payload)); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::StatusOr<Payloads> ReadPayloads(const TrainFlags& flags) {
  Payloads payloads;
  for (const std::string& path : flags.paths) {
    const absl::StatusOr<std::vector<std::string>> files = FilesOf(path);
    if (!files.ok()) return files.status();
    for (const std::string& file : *files) {
      // A file that says how long it is gets no larger buffer.
      std::error_code unknown;
      const uintmax_t size = fs::file_size(file, unknown);
      absl::StatusOr<std::string> content =
          ReadFile(file, unknown ? kMaxInput : std::min<uintmax_t>(size, kMaxInput));
      if (!content.ok()) return content.status();
      const absl::Status added =
          flags.hex ? AddHexLines(file, *content, &payloads) : payloads.Add(*std::move(content));
      if (!added.ok()) return added;
    }
  }
  return payloads;
}

// Bytes that would be sent of all payloads, those that are not worth it as they are.
size_t CompressedBytes(ZstdCodec& codec, const std::vector<std::string>& payloads, uint32_t level,
                       uint32_t dictionary) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  size_t bytes = 0;
  for (const std::string& payload : payloads) {
    Buffer frame;
    const Compressed how = codec.Compress(AsBytes(payload), level, dictionary, *pool, &frame);
    bytes += how.original_bytes != 0 ? frame.size() : payload.size();
  }
  return bytes;
}

bool PrintReport(const Payloads& payloads, const std::string& dictionary, size_t without,
                 size_t with, bool as_json) {
  const uint32_t id = ZstdCodec::IdOf(dictionary);
  if (as_json) {
    return PrintJson({{"id", id},
                      {"dictionary_bytes", dictionary.size()},
                      {"payloads", payloads.all.size()},
                      {"payload_bytes", payloads.bytes},
                      {"compressed_bytes", without},
                      {"compressed_bytes_with_dictionary", with}});
  }
  const auto saved = [&](size_t left) {
    return absl::StrFormat(
        "%.1f %%", 100.0 - 100.0 * static_cast<double>(left) / static_cast<double>(payloads.bytes));
  };
  const std::string text =
      absl::StrCat("dictionary: ", dictionary.size(), " bytes, id ", id, "\n",  //
                   "payloads: ", payloads.all.size(), ", ", payloads.bytes, " bytes\n",
                   "compressed without it: ", without, " bytes, saves ", saved(without), "\n",
                   "compressed with it: ", with, " bytes, saves ", saved(with), "\n");
  return Print(AsBytes(std::string_view(text)));
}

int RunTrain(const TrainFlags& flags) {
  const absl::StatusOr<Payloads> payloads = ReadPayloads(flags);
  // What is in the files is no bad argument.
  if (!payloads.ok()) {
    return Fail(absl::Status(absl::StatusCode::kDataLoss, payloads.status().message()));
  }
  const absl::StatusOr<std::string> dictionary =
      TrainDictionary(payloads->all, flags.size, flags.id);
  if (!dictionary.ok()) return Fail(absl::DataLossError(dictionary.status().message()));
  const absl::StatusOr<std::shared_ptr<ZstdCodec>> codec =
      ZstdCodec::Create(absl::MakeConstSpan(&*dictionary, 1));
  if (!codec.ok()) return Fail(absl::DataLossError(codec.status().message()));
  std::ofstream file(flags.out, std::ios::binary | std::ios::trunc);
  file.write(dictionary->data(), static_cast<std::streamsize>(dictionary->size()));
  if (!file.flush()) return Fail(absl::UnavailableError(absl::StrCat("can't write ", flags.out)));
  const size_t without = CompressedBytes(**codec, payloads->all, flags.level, 0);
  const size_t with =
      CompressedBytes(**codec, payloads->all, flags.level, ZstdCodec::IdOf(*dictionary));
  if (!PrintReport(*payloads, *dictionary, without, with, flags.json)) {
    return Fail(absl::UnavailableError("can't write to standard output"));
  }
  return 0;
}

}  // namespace

void AddTrainDictionary(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("train-dictionary",
                                         "make a dictionary for compression of recorded payloads");
  command->footer(
      "Some hundreds of payloads of one handler, 100 times the dictionary's size together, are a\n"
      "good measure. What it prints is of the same payloads: others will be saved a little less.\n"
      "A dictionary holds pieces of the payloads: never train one with secrets. Its id stands for\n"
      "these bytes on every node; a new dictionary needs a new one.");
  auto flags = std::make_shared<TrainFlags>();
  command
      ->add_option("PATH", flags->paths,
                   "files, each a payload; of a directory, all the files in it")
      ->required();
  command->add_option("--out", flags->out, "file to write the dictionary to")->required();
  command->add_option("--size", flags->size, "most bytes of the dictionary")
      ->check(CLI::Range(kMinTrainedBytes, ZstdCodec::kMaxDictionaryBytes))
      ->capture_default_str();
  command->add_option("--id", flags->id, "its id; otherwise one that is made of its contents")
      ->check(CLI::Range(uint32_t{1}, UINT32_MAX));
  command->add_option("--level", flags->level, "level for the sizes that are printed")
      ->check(CLI::Range(ZstdCodec::kMinLevel, ZstdCodec::kMaxLevel))
      ->capture_default_str();
  command->add_flag("--hex-lines", flags->hex, "each line of a file is a payload in hex digits");
  command->add_flag("--json", flags->json, "print a JSON object");
  command->callback([=] { *chosen = [flags] { return RunTrain(*flags); }; });
}

}  // namespace grid::tools

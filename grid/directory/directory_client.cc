#include "grid/directory/directory_client.h"

#include <string>
#include <utility>

#include "grid/directory/directory_core.h"

namespace grid {
namespace {

class DirectoryClient final : public Directory {
 public:
  explicit DirectoryClient(std::shared_ptr<internal::DirectoryCore> core)
      : core_(std::move(core)) {}
  ~DirectoryClient() override { core_->StartClose(); }

  absl::StatusOr<Watcher> Watch(Selector selector) override {
    return core_->StartWatch(std::move(selector));
  }
  void Renounce(uint64_t incarnation, std::string why) override {
    core_->StartRenounce(incarnation, std::move(why));
  }
  DirectoryStats Stats() const override { return core_->Stats(); }

  void StartRegister(Name name, Holding holding, Attributes attributes,
                     std::chrono::milliseconds timeout,
                     Completion<absl::StatusOr<Registration>> completion) override {
    core_->StartRegister(std::move(name), holding, std::move(attributes), timeout,
                         std::move(completion));
  }
  void StartResolve(Selector selector, std::chrono::milliseconds timeout,
                    Completion<absl::StatusOr<Resolution>> completion) override {
    core_->StartResolve(std::move(selector), timeout, std::move(completion));
  }
  void StartWaitReady(std::chrono::milliseconds timeout,
                      Completion<absl::Status> completion) override {
    core_->StartWaitReady(timeout, std::move(completion));
  }
  void StartFlush(std::chrono::milliseconds timeout,
                  Completion<absl::StatusOr<uint64_t>> completion) override {
    core_->StartFlush(timeout, std::move(completion));
  }
  void StartStop(Completion<absl::Status> completion) override {
    core_->StartStop(std::move(completion));
  }

 private:
  const std::shared_ptr<internal::DirectoryCore> core_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Directory>> MakeDirectory(
    DirectoryOptions options, std::unique_ptr<DirectoryBackend> backend) {
  if (absl::Status status = options.Check(); !status.ok()) return status;
  auto core = std::make_shared<internal::DirectoryCore>(std::move(options), std::move(backend));
  core->Start();
  return std::make_unique<DirectoryClient>(std::move(core));
}

}  // namespace grid

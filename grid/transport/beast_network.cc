#include "grid/transport/beast_network.h"

#include <utility>

#include "grid/transport/beast_config.h"
#include "grid/transport/dialler.h"
#include "grid/transport/listener.h"
#include "grid/transport/tls_context.h"

namespace grid {
namespace {

class BeastNetwork final : public Network {
 public:
  explicit BeastNetwork(std::shared_ptr<const internal::BeastConfig> config)
      : config_(std::move(config)) {}

  void Dial(DialRequest request, absl::AnyInvocable<void(DialResult)> done) override {
    internal::DialHost(config_, std::move(request), std::move(done));
  }

  absl::StatusOr<std::unique_ptr<Listener>> Listen(ListenRequest request) override {
    return internal::StartListener(config_, std::move(request));
  }

 private:
  const std::shared_ptr<const internal::BeastConfig> config_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<Network>> MakeBeastNetwork(TlsOptions tls, TransportLimits limits,
                                                          SocketOptions sockets,
                                                          std::shared_ptr<Clock> clock,
                                                          std::shared_ptr<LogSink> log) {
  absl::StatusOr<internal::TlsContexts> contexts = internal::LoadTlsContexts(tls);
  if (!contexts.ok()) return contexts.status();
  return std::make_shared<BeastNetwork>(
      std::make_shared<const internal::BeastConfig>(internal::BeastConfig{
          *std::move(contexts), limits, sockets, std::move(clock), std::move(log)}));
}

}  // namespace grid

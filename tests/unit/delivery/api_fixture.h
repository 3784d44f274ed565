#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api_model.h"
#include "cloud_fixture.h"

namespace packhorse::delivery {

// CloudTest against an API that is not ours.
class ApiTest : public CloudTest {
 protected:
  using Items = std::vector<ApiModel::Item>;
  using ApiScript = std::function<upload::Response(const Items&)>;

  void Use(std::unique_ptr<ApiModel> model) {
    model_ = std::move(model);
    contract_ = model_->Find();
    settings_ = model_->settings();
    for (const std::string& secret : contract_->secrets()) {
      test::WriteAll(dir_ / secret, "s3cret-" + secret, 0600);
    }
    Begin();
  }
  // A destination that knows nothing of what was before.
  void Begin() {
    auth::AuthOptions options;
    for (const std::string& secret : contract_->secrets()) {
      options.settings[secret] = {{auth::SecretSource::Kind::kFile, dir_ / secret}, {}};
    }
    auto made = auth::Authorizer::Make(options);
    ASSERT_TRUE(made) << made.error().message;
    authorizer_ = std::move(made).value();
    Rebuild();
  }
  void Store(const Items& items) {
    for (const ApiModel::Item& item : items) {
      ++kept_[item.n];
    }
  }
  upload::Response Honest(const Items& items) {
    Store(items);
    return model_->Success(items);
  }
  Script Reading(ApiScript script) {
    return [this, script = std::move(script)](const Records&, const FakeUploader::Sent& sent) {
      return script(model_->Read(sent.body));
    };
  }
  void AppendNext() { Append(Payload(next_++)); }

  std::unique_ptr<ApiModel> model_;
  std::map<int, int> kept_;  // by n, how often
  int next_ = 0;
};

}  // namespace packhorse::delivery

use ironhub_domain::HubError;
use ironhub_domain::device::DeviceStatus;
use ironhub_domain::event::D2cMessage;
use ironhub_domain::registry::{AuthenticationRequest, IfMatch, PutMode};

use super::rig::*;
use crate::router::request::CloseReason;

#[test]
fn a_disabled_device_and_its_modules_are_out_at_once() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        hub.update_device(|device| device.status = DeviceStatus::Disabled).await;
        for (client, identity) in [(&of_device, device()), (&of_module, module())] {
            assert_eq!(client.sink.close_reason(), Some(CloseReason::Disabled));
            let refused = client.session.send_d2c(vec![D2cMessage::default()]).unwrap();
            assert_eq!(refused.await.unwrap(), Err(HubError::SessionFenced));
            let disabled = HubError::DeviceDisabled("d".into());
            let auth = hub.router.authenticate(identity, &key_token(identity, KEY)).await;
            assert_eq!(auth.unwrap_err(), disabled);
            let auth = client.session.info().auth;
            let sent = hub.router.send_d2c(identity, auth, vec![D2cMessage::default()]).await;
            assert_eq!(sent, Err(disabled.clone()));
            assert_eq!(hub.router.receive_c2d(identity).await, Err(disabled));
        }
        // Services may still leave messages for it.
        hub.send_c2d(device(), "later").await;
        hub.update_device(|_| ()).await;
        hub.connect(device()).await;
    });
}

#[test]
fn a_deleted_device_is_gone_with_its_modules_queues_and_twins() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        of_device.want_c2d(5);
        hub.send_c2d(device(), "1").await;
        of_device.c2d(1).await;
        hub.send_c2d(module(), "2").await;
        hub.set_desired(device(), r#"{"a":1}"#).await;
        hub.router.delete_identity(&device().device, None).await.unwrap();
        for client in [&of_device, &of_module] {
            assert_eq!(client.sink.close_reason(), Some(CloseReason::Deleted));
        }
        let gone = HubError::DeviceNotFound("d".into());
        assert_eq!(hub.router.send_c2d(device(), message("3")).await, Err(gone.clone()));
        assert_eq!(hub.router.modules(&device().device).await.unwrap_err(), gone);
        hub.create("d").await;
        assert!(hub.router.modules(&device().device).await.unwrap().is_empty());
        let view = hub.router.twin(device()).await.unwrap();
        assert_eq!((view.twin.desired.version, view.c2d_count), (1, 0));
    });
}

#[test]
fn a_deleted_module_loses_its_session_and_its_device_does_not() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        let id = module().module.clone().unwrap();
        let stale = hub
            .router
            .delete_module(&device().device, &id, Some(IfMatch::parse("\"other\"")))
            .await;
        assert!(matches!(stale, Err(HubError::PreconditionFailed { .. })));
        assert_eq!(of_module.sink.close_reason(), None);
        hub.router.delete_module(&device().device, &id, None).await.unwrap();
        assert_eq!(of_module.sink.close_reason(), Some(CloseReason::Deleted));
        assert_eq!(of_device.sink.close_reason(), None);
        let gone = HubError::ModuleNotFound("d/m".into());
        assert_eq!(hub.router.module(&device().device, &id).await.unwrap_err(), gone);
        assert_eq!(hub.router.twin(module()).await.unwrap_err(), gone);
        assert_eq!(hub.router.send_c2d(module(), message("1")).await, Err(gone));
    });
}

#[test]
fn a_new_key_ends_the_session_of_the_old_one_of_that_identity_only() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        let any = || PutMode::Update(IfMatch::Any);
        hub.put_module(any(), AuthenticationRequest::Sas(keys(KEY))).await;
        assert_eq!(of_module.sink.close_reason(), None, "the key stayed");
        hub.put_module(any(), AuthenticationRequest::Sas(keys(OTHER_KEY))).await;
        assert_eq!(of_module.sink.close_reason(), Some(CloseReason::Rekeyed));
        assert_eq!(of_device.sink.close_reason(), None);
        let renewed = of_device.session.renew(key_token(device(), KEY)).unwrap();
        assert!(renewed.await.unwrap().is_ok());
        let refused = of_device.session.renew(key_token(device(), OTHER_KEY)).unwrap();
        assert!(matches!(refused.await.unwrap(), Err(HubError::Unauthorized(_))));
        assert_eq!(of_device.sink.close_reason(), None, "its old token is still good");
        hub.update_device(|device| {
            device.authentication = AuthenticationRequest::Sas(keys(OTHER_KEY));
        })
        .await;
        assert_eq!(of_device.sink.close_reason(), Some(CloseReason::Rekeyed));
    });
}

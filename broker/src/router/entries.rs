//! The whole registry, one identity after the other, with their twins.

use std::ops::ControlFlow;

use ironhub_domain::HubError;
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::twin::Twin;

use super::Router;
use crate::actor::Directory;
use crate::partition::reader::hub_error;
use crate::partition::records;

/// Devices that are in memory at a time, with their modules.
const PAGE_DEVICES: usize = 256;

/// An identity of the registry. A twin of which nothing was ever changed is left out.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A device.
    Device(DeviceIdentity, Option<Twin>),
    /// A module of the last device.
    Module(ModuleIdentity, Option<Twin>),
}

impl Router {
    /// How many devices there are.
    pub fn device_count(&self) -> Result<u64, HubError> {
        let mut count = 0;
        for directory in self.state.directories() {
            let owner = directory.owner();
            let counts = records::counts(owner.store(), owner.partition().group());
            count += counts.map_err(hub_error)?.devices;
        }
        Ok(count)
    }

    /// Visits every device, followed by its modules: partition by partition, in the order of their ids, until the visitor
    /// breaks. Reads the disk, for long: call it off the workers. What changes meanwhile is seen as it was or as it is.
    pub fn visit_entries(
        &self,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), HubError> {
        for directory in self.state.directories() {
            let mut after: Option<DeviceId> = None;
            loop {
                let owner = directory.owner();
                let group = owner.partition().group();
                let page =
                    records::list_devices(owner.store(), group, after.as_ref(), PAGE_DEVICES)
                        .map_err(hub_error)?;
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
                if visit_page(directory, page, visit)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn visit_page(
    directory: &Directory,
    page: Vec<DeviceIdentity>,
    visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, HubError> {
    let modules = modules_of(directory, &page)?;
    let mut modules = modules.into_iter().peekable();
    let mut rows = Vec::with_capacity(page.len());
    for device in page {
        let id = device.id.clone();
        rows.push((IdentityId::device(id.clone()), Entry::Device(device, None)));
        // One of a device that came or went while its page was read is left out.
        while let Some(module) = modules.next_if(|module| module.device <= id) {
            if module.device == id {
                let identity = IdentityId::module(id.clone(), module.id.clone());
                rows.push((identity, Entry::Module(module, None)));
            }
        }
    }
    let owner = directory.owner();
    let (store, group) = (owner.store(), owner.partition().group());
    let mut flow = ControlFlow::Continue(());
    records::visit_with_twins(store, group, rows, &mut |entry, twin| {
        flow = visit(match entry {
            Entry::Device(device, _) => Entry::Device(device, twin),
            Entry::Module(module, _) => Entry::Module(module, twin),
        });
        flow
    })
    .map_err(hub_error)?;
    Ok(flow)
}

/// Their modules, in the same order: at most [`MODULES_MAX`](ironhub_domain::limits::MODULES_MAX) for each device.
fn modules_of(
    directory: &Directory,
    page: &[DeviceIdentity],
) -> Result<Vec<ModuleIdentity>, HubError> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
    let owner = directory.owner();
    let from = IdentityId::device(first.id.clone());
    let mut modules = Vec::new();
    records::visit_modules(owner.store(), owner.partition().group(), Some(&from), &mut |module| {
        if module.device > last.id {
            return ControlFlow::Break(());
        }
        modules.push(module);
        ControlFlow::Continue(())
    })
    .map_err(hub_error)?;
    Ok(modules)
}
